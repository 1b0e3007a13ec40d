"""Courses of the learning rate: functions that return functions of how much of the run is over."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

from keras import ops

from kexp.core.constraints import Between, check_value
from kexp.core.errors import InputError, nearest

Course = Callable[[Any], Any]
"""From the fraction of the run that is over, 0 to 1, to the factor of the peak. Takes arrays too."""

_RISE = 0.3  # the share of one cycle in which the rate rises
# A step that falls on a boundary belongs to the part after it, whatever float32 makes of the quotient.
_ROUNDING = 1e-6


def constant() -> Course:
    """Return the course that stays at the peak.

    Example:
        >>> [float(constant()(fraction)) for fraction in (0.0, 0.5, 1.0)]
        [1.0, 1.0, 1.0]
    """
    return partial(_constant)


def plateau() -> Course:
    """Return the course that stays at the peak, for `kexp.callbacks.Plateau` to lower.

    Example:
        >>> float(plateau()(0.5))
        1.0
    """
    return partial(_constant)


def linear() -> Course:
    """Return the course `1 - f`.

    Example:
        >>> float(linear()(0.25))
        0.75
    """
    return partial(_linear)


def cosine() -> Course:
    """Return the course `(1 + cos(pi f)) / 2`: half a period (Loshchilov and Hutter 2017, one period).

    Example:
        >>> [round(float(cosine()(fraction)), 4) for fraction in (0.0, 0.25, 1.0)]
        [1.0, 0.8536, 0.0]
    """
    return partial(_cosine)


def cosine_restarts(periods: int = 3) -> Course:
    """Return cosine courses one after another, each twice as long as the one before (SGDR).

    Period `k` of `p` begins at `(2^k - 1) / (2^p - 1)` of the run.

    Args:
        periods: How many, default 3, from 1 to 16.

    Raises:
        InputError: `periods` does not fit.

    Source:
        Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", T_mult = 2.

    Example:
        >>> course = cosine_restarts(periods=2)  # a third of the run, then two thirds
        >>> [round(float(course(thirds / 3)), 4) for thirds in (0, 0.5, 1, 2, 3)]
        [1.0, 0.5, 1.0, 0.5, 0.0]
    """
    return partial(_cosine_restarts, periods=check_value("periods", periods, Annotated[int, Between(1, 16)]))


def exponential(end: float = 0.01) -> Course:
    """Return the course `end^f`, which falls by the same share at every step.

    Args:
        end: Factor of the peak at the end of the run, default 0.01, from 1e-9 to 1.

    Raises:
        InputError: `end` does not fit.

    Example:
        >>> [round(float(exponential()(fraction)), 4) for fraction in (0.0, 0.5, 1.0)]
        [1.0, 0.1, 0.01]
    """
    return partial(_exponential, end=check_value("end", end, Annotated[float, Between(1e-9, 1.0)]))


def polynomial(power: float = 2.0) -> Course:
    """Return the course `(1 - f)^power`.

    Args:
        power: Default 2, from 0.01 to 100; 1 is `linear`.

    Raises:
        InputError: `power` does not fit.

    Example:
        >>> float(polynomial(power=3)(0.5))
        0.125
    """
    return partial(_polynomial, power=check_value("power", power, Annotated[float, Between(0.01, 100.0)]))


def one_cycle() -> Course:
    """Return the course that rises for three tenths of the run and then falls to nothing.

    With `c(x) = (1 + cos(pi x)) / 2` it is `0.04 + 0.96 (1 - c(f / 0.3))` while `f < 0.3`, then
    `c((f - 0.3) / 0.7)`.

    Source:
        Smith and Topin 2018, "Super-Convergence: Very Fast Training of Neural Networks Using Large
        Learning Rates", with cosine flanks.

    Example:
        >>> [round(float(one_cycle()(fraction)), 4) for fraction in (0.0, 0.3, 0.65, 1.0)]
        [0.04, 1.0, 0.5, 0.0]
    """
    return partial(_one_cycle)


def momentum_course(high: float = 0.95, low: float = 0.85) -> Course:
    """Return the momentum that goes with `one_cycle`: low while the learning rate is high.

    With `c(x) = (1 + cos(pi x)) / 2` it is `low + (high - low) c(f / 0.3)` while `f < 0.3`, then
    `high - (high - low) c((f - 0.3) / 0.7)`.

    Args:
        high: Momentum at the beginning and at the end, default 0.95, from 0 to 1.
        low: Momentum at the highest learning rate, default 0.85, from 0 to 1.

    Raises:
        InputError: A momentum does not fit.

    Source:
        Smith and Topin 2018, as for `one_cycle`.

    Example:
        >>> [round(float(momentum_course()(fraction)), 4) for fraction in (0.0, 0.3, 0.65, 1.0)]
        [0.95, 0.85, 0.9, 0.95]
    """
    unit = Annotated[float, Between(0.0, 1.0)]
    return partial(_momentum, high=check_value("high", high, unit), low=check_value("low", low, unit))


def joined(courses: Sequence[Course], boundaries: Sequence[float]) -> Course:
    """Return courses one after another, each run through from its beginning to its end.

    Args:
        courses: Two or more.
        boundaries: The fractions of the run at which one ends and the next begins, rising, between 0
            and 1; one fewer than the courses.

    Raises:
        InputError: There are too many or too few boundaries, or they do not rise.

    Example:
        >>> course = joined([constant(), linear()], [0.5])
        >>> [float(course(fraction)) for fraction in (0.25, 0.5, 0.75, 1.0)]
        [1.0, 1.0, 0.5, 0.0]
    """
    edges = [0.0, *boundaries, 1.0]
    if len(edges) != len(courses) + 1 or any(a >= b for a, b in pairwise(edges)):
        raise InputError(
            f"boundaries must be {len(courses) - 1} rising fractions between 0 and 1, one fewer than the "
            f"{len(courses)} courses; received {list(boundaries)!r}."
        )
    return partial(_joined, courses=list(courses), boundaries=list(boundaries))


def _constant(fraction: Any) -> Any:
    return ops.ones_like(ops.convert_to_tensor(fraction, "float32"))


def _linear(fraction: Any) -> Any:
    return 1.0 - fraction


def _cosine(fraction: Any) -> Any:
    return 0.5 * (1.0 + ops.cos(math.pi * fraction))


def _cosine_restarts(fraction: Any, periods: int) -> Any:
    position = 1.0 + fraction * (2.0**periods - 1.0)  # period k reaches from 2^k to 2^(k + 1)
    factor = _cosine(position - 1.0)
    for period in range(1, periods):
        begun = position >= 2.0**period * (1.0 - _ROUNDING)
        factor = ops.where(begun, _cosine(position / 2.0**period - 1.0), factor)
    return factor


def _exponential(fraction: Any, end: float) -> Any:
    return ops.exp(math.log(end) * fraction)


def _polynomial(fraction: Any, power: float) -> Any:
    return ops.power(1.0 - fraction, power)


def _one_cycle(fraction: Any) -> Any:
    rising = 0.04 + 0.96 * (1.0 - _cosine(fraction / _RISE))
    falling = _cosine((fraction - _RISE) / (1.0 - _RISE))
    return ops.where(fraction < _RISE, rising, falling)


def _momentum(fraction: Any, high: float, low: float) -> Any:
    falling = low + (high - low) * _cosine(fraction / _RISE)
    rising = high - (high - low) * _cosine((fraction - _RISE) / (1.0 - _RISE))
    return ops.where(fraction < _RISE, falling, rising)


def _joined(fraction: Any, courses: list[Course], boundaries: list[float]) -> Any:
    fraction, factor = ops.convert_to_tensor(fraction, "float32"), None
    for course, begin, end in zip(courses, [0.0, *boundaries], [*boundaries, 1.0], strict=True):
        own = course(ops.clip((fraction - begin) / (end - begin), 0.0, 1.0))
        factor = own if factor is None else ops.where(fraction >= begin - _ROUNDING, own, factor)
    return factor


COURSES: dict[str, Callable[..., Course]] = {
    "constant": constant,
    "cosine": cosine,
    "cosine_restarts": cosine_restarts,
    "exponential": exponential,
    "linear": linear,
    "one_cycle": one_cycle,
    "plateau": plateau,
    "polynomial": polynomial,
}


def named(name: str) -> Course:
    if name not in COURSES:
        choices = ", ".join(map(repr, COURSES))
        raise InputError(f"course must be one of {choices}; received {name!r}{nearest(name, COURSES)}.")
    return COURSES[name]()


def described(course: Any) -> dict[str, Any]:
    """Return a course as plain values, which `restored` makes a course of again."""
    if not isinstance(course, partial) or course.func not in _FUNCTIONS.values():
        raise InputError(
            "course must be made by a function of kexp.schedules for the model to be saved; "
            f"received {course!r}, so train without saving, or join the courses there are."
        )
    arguments = dict(course.keywords)
    if "courses" in arguments:
        arguments["courses"] = [described(part) for part in arguments["courses"]]
    return {"function": course.func.__name__.strip("_"), **arguments}


def restored(described: str | dict[str, Any] | Course) -> str | Course:
    if not isinstance(described, dict):
        return described
    arguments = dict(described)
    function = _FUNCTIONS[arguments.pop("function")]
    if "courses" in arguments:
        arguments["courses"] = [restored(part) for part in arguments["courses"]]
    return partial(function, **arguments)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__.strip("_"): function
    for function in (
        _constant,
        _cosine,
        _cosine_restarts,
        _exponential,
        _joined,
        _linear,
        _one_cycle,
        _polynomial,
    )
}

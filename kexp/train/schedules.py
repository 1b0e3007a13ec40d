"""Learning rates over a run: decay curves, and the Keras schedule that follows one after a warm-up.

A curve is a function of `f`, the fraction of the run that is over, from 0 to 1, to the factor of the peak
learning rate. Each stands here once, as a formula of `f` and of settings that `curve` makes a builder of:
`polynomial(power=3)` is a curve, `polynomial(power=3)(0.5)` its factor. The option `schedule` takes the name
of every curve whose settings all have defaults.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import keras
import numpy as np
from keras import ops

from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.errors import InputError, nearest
from kexp.core.keras_private import learning_rate_of
from kexp.core.types import Tensor, TensorLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Curve",
    "Schedule",
    "constant",
    "cosine",
    "cosine_log",
    "cosine_restarts",
    "exponential",
    "joined",
    "linear",
    "momentum",
    "one_cycle",
    "plateau",
    "plot",
    "polynomial",
    "scale_learning_rate",
]

P = ParamSpec("P")
_RISE = 0.3  # the share of one cycle in which the rate rises
# A step that falls on a boundary belongs to the curve after it, whatever float32 makes of the quotient.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Curve:
    """A decay curve: from the fraction of the run that is over to the factor of the peak. Takes arrays too.

    Attributes:
        name: The function of this module that builds it.
        settings: Arguments of that function.
        formula: The curve itself.
    """

    name: str
    settings: dict[str, Any]
    formula: Callable[[Tensor], Tensor]

    def __call__(self, fraction: TensorLike) -> Tensor:
        return self.formula(fraction)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, which `curve_from_json` builds the same curve from."""
        settings = dict(self.settings)
        if "curves" in settings:
            settings["curves"] = [one.to_json() for one in settings["curves"]]
        return {"function": self.name, **settings}


_BUILDERS: dict[str, Callable[..., Curve]] = {}


def curve(formula: Callable[Concatenate[Tensor, P], Tensor]) -> Callable[P, Curve]:
    """Make a builder of curves from a formula, with its arguments after the fraction, which are checked."""
    _, *parameters = inspect.signature(formula, eval_str=True).parameters.values()
    signature = inspect.Signature(parameters, return_annotation=Curve)

    @functools.wraps(formula)
    def build(*args: P.args, **kwargs: P.kwargs) -> Curve:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        types = {parameter.name: parameter.annotation for parameter in parameters}
        settings = {name: check_value(name, value, types[name]) for name, value in bound.arguments.items()}
        return Curve(formula.__name__, settings, functools.partial(formula, **settings))

    build.__signature__ = signature  # type: ignore[attr-defined]
    _BUILDERS[formula.__name__] = build
    return build


@curve
def constant(fraction: Tensor) -> Tensor:
    """The constant curve: `1`.

    Example:
        >>> [float(constant()(fraction)) for fraction in (0.0, 0.5, 1.0)]
        [1.0, 1.0, 1.0]
    """
    return ops.ones_like(ops.convert_to_tensor(fraction, "float32"))


@curve
def cosine(fraction: Tensor) -> Tensor:
    """The cosine curve: `c(f)`, half a period of `c(x) = (1 + cos(pi x)) / 2`.

    Source:
        Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", one period.

    Example:
        >>> [round(float(cosine()(fraction)), 4) for fraction in (0.0, 0.25, 1.0)]
        [1.0, 0.8536, 0.0]
    """
    return _half_period(fraction)


@curve
def linear(fraction: Tensor) -> Tensor:
    """The linear curve: `1 - f`.

    Example:
        >>> float(linear()(0.25))
        0.75
    """
    return 1.0 - fraction


@curve
def one_cycle(fraction: Tensor) -> Tensor:
    """One cycle: a rise for three tenths of the run, then a fall to nothing.

    With `c(x) = (1 + cos(pi x)) / 2` it is `0.04 + 0.96 (1 - c(f / 0.3))` while `f < 0.3`, then
    `c((f - 0.3) / 0.7)`.

    Source:
        Smith and Topin 2018, "Super-Convergence: Very Fast Training of Neural Networks Using Large
        Learning Rates", with cosine flanks.

    Example:
        >>> [round(float(one_cycle()(fraction)), 4) for fraction in (0.0, 0.3, 0.65, 1.0)]
        [0.04, 1.0, 0.5, 0.0]
    """
    rising = 0.04 + 0.96 * (1.0 - _half_period(fraction / _RISE))
    falling = _half_period((fraction - _RISE) / (1.0 - _RISE))
    return ops.where(fraction < _RISE, rising, falling)


@curve
def exponential(fraction: Tensor, end: Annotated[float, Between(1e-9, 1.0)] = 0.01) -> Tensor:
    """The exponential curve: `end^f`, which falls by the same share at every step.

    Args:
        end: Factor of the peak at the end of the run, default 0.01, from 1e-9 to 1.

    Raises:
        InputError: `end` does not fit.

    Example:
        >>> [round(float(exponential()(fraction)), 4) for fraction in (0.0, 0.5, 1.0)]
        [1.0, 0.1, 0.01]
    """
    return ops.exp(math.log(end) * fraction)


@curve
def polynomial(fraction: Tensor, power: Annotated[float, Between(0.01, 100.0)] = 2.0) -> Tensor:
    """The polynomial curve: `(1 - f)^power`.

    Args:
        power: Exponent, default 2, from 0.01 to 100; 1 is `linear`.

    Raises:
        InputError: `power` does not fit.

    Example:
        >>> float(polynomial(power=3)(0.5))
        0.125
    """
    return ops.power(1.0 - fraction, power)


@curve
def cosine_log(fraction: Tensor, cycles: Annotated[int, Between(1, 16)] = 4) -> Tensor:
    """Waves from 0 to 1 and back, each as long as all before it together: RealMLP's coslog.

    It is `(1 - cos(2 pi log2(1 + (2^k - 1) f))) / 2` with `k` waves.

    Args:
        cycles: Number of waves, default 4, from 1 to 16.

    Raises:
        InputError: `cycles` does not fit.

    Source:
        Holzmüller, Grinsztajn and Steinwart 2024, "Better by Default".

    Example:
        >>> [round(float(cosine_log()(fraction)), 4) for fraction in (0.0, 1 / 15, 0.6, 1.0)]
        [0.0, 0.0, 0.7184, 0.0]
    """
    position = ops.log2(1.0 + (2.0**cycles - 1.0) * ops.convert_to_tensor(fraction, "float32"))
    return 0.5 * (1.0 - ops.cos(2.0 * math.pi * position))


@curve
def cosine_restarts(fraction: Tensor, periods: Annotated[int, Between(1, 16)] = 3) -> Tensor:
    """Cosine curves one after another, each twice as long as the one before.

    Period `k` of `p` begins at `(2^k - 1) / (2^p - 1)` of the run.

    Args:
        periods: Number of curves, default 3, from 1 to 16.

    Raises:
        InputError: `periods` does not fit.

    Source:
        Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", T_mult = 2.

    Example:
        >>> curve = cosine_restarts(periods=2)  # a third of the run, then two thirds
        >>> [round(float(curve(thirds / 3)), 4) for thirds in (0, 0.5, 1, 2, 3)]
        [1.0, 0.5, 1.0, 0.5, 0.0]
    """
    position = 1.0 + fraction * (2.0**periods - 1.0)  # period k reaches from 2^k to 2^(k + 1)
    factor = _half_period(position - 1.0)
    for period in range(1, periods):
        begun = position >= 2.0**period * (1.0 - _ROUNDING)
        factor = ops.where(begun, _half_period(position / 2.0**period - 1.0), factor)
    return factor


@curve
def plateau(fraction: Tensor) -> Tensor:
    """The constant curve again, for `kexp.callbacks.Plateau` to lower.

    Example:
        >>> float(plateau()(0.5))
        1.0
    """
    return ops.ones_like(ops.convert_to_tensor(fraction, "float32"))


@curve
def momentum(
    fraction: Tensor, high: Annotated[float, Between(0.0, 1.0)], low: Annotated[float, Between(0.0, 1.0)]
) -> Tensor:
    """The momentum that goes with `one_cycle`: low while the learning rate is high.

    With `c(x) = (1 + cos(pi x)) / 2` it is `low + (high - low) c(f / 0.3)` while `f < 0.3`, then
    `high - (high - low) c((f - 0.3) / 0.7)`.

    Args:
        high: Momentum at both ends, from 0 to 1; 0.95 in the paper.
        low: Momentum at the highest rate, from 0 to 1; 0.85 in the paper.

    Raises:
        InputError: A momentum does not fit.

    Source:
        Smith and Topin 2018, as for `one_cycle`.

    Example:
        >>> [round(float(momentum(0.95, 0.85)(fraction)), 4) for fraction in (0.0, 0.3, 0.65, 1.0)]
        [0.95, 0.85, 0.9, 0.95]
    """
    falling = low + (high - low) * _half_period(fraction / _RISE)
    rising = high - (high - low) * _half_period((fraction - _RISE) / (1.0 - _RISE))
    return ops.where(fraction < _RISE, falling, rising)


def joined(curves: Sequence[Curve], boundaries: Sequence[float]) -> Curve:
    """Return curves one after another, each run through from its beginning to its end.

    Args:
        curves: Two or more.
        boundaries: The fractions of the run at which one ends and the next begins, rising, between 0
            and 1; one fewer than the curves.

    Raises:
        InputError: There are too many or too few boundaries, or they do not rise.

    Example:
        >>> curve = joined([constant(), linear()], [0.5])
        >>> [float(curve(fraction)) for fraction in (0.25, 0.5, 0.75, 1.0)]
        [1.0, 1.0, 0.5, 0.0]
    """
    edges = [0.0, *boundaries, 1.0]
    if len(edges) != len(curves) + 1 or any(a >= b for a, b in pairwise(edges)):
        raise InputError(
            f"boundaries must be {len(curves) - 1} rising fractions between 0 and 1, one fewer than the "
            f"{len(curves)} curves; received {list(boundaries)!r}."
        )

    def formula(fraction: Tensor) -> Tensor:
        fraction, factor = ops.convert_to_tensor(fraction, "float32"), None
        for part, (begin, end) in zip(curves, pairwise(edges), strict=True):
            own = part(ops.clip((fraction - begin) / (end - begin), 0.0, 1.0))
            factor = own if factor is None else ops.where(fraction >= begin - _ROUNDING, own, factor)
        return factor

    return Curve("joined", {"curves": list(curves), "boundaries": list(boundaries)}, formula)


_BUILDERS["joined"] = joined


def curve_from_json(fields: Mapping[str, Any]) -> Curve:
    """Return the curve that `Curve.to_json` wrote."""
    settings = dict(fields)
    name = settings.pop("function")
    # Older files call the curves that are joined courses.
    parts = settings.pop("courses", settings.pop("curves", None))
    if parts is not None:
        settings["curves"] = [curve_from_json(part) for part in parts]
    return _BUILDERS[name](**settings)


def _half_period(x: Tensor) -> Tensor:
    return 0.5 * (1.0 + ops.cos(math.pi * x))


def _named(name: str) -> Curve:
    known = [one for one, build in _BUILDERS.items() if _has_defaults(build)]
    if name not in known:
        choices = ", ".join(map(repr, sorted(known)))
        raise InputError(f"curve must be one of {choices}; received {name!r}{nearest(name, known)}.")
    return _BUILDERS[name]()


def _has_defaults(build: Callable[..., Curve]) -> bool:
    parameters = inspect.signature(build).parameters.values()
    return all(parameter.default is not parameter.empty for parameter in parameters)


@keras.saving.register_keras_serializable(package="kexp")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate over a run of known length: a curve after a linear warm-up.

    With `w` warm-up steps of `n` in all, step `s` has `peak * (s + 1) / w` while `s < w`, then
    `peak * curve((s - w) / (n - w))`; all of it times `scale`, a variable that is 1 until
    `scale_learning_rate` changes it.

    Args:
        curve: The name of a function of this module without required arguments, such as "cosine", or a
            function from the fraction of the run, such as `polynomial(power=3)`. A model is saved only with a
            curve of this module.
        peak: Highest learning rate, reached after the warm-up.
        steps: Steps of the whole run, 1 or more.
        warmup_steps: Steps of linear rise, default 0.

    Raises:
        InputError: A name is unknown, or a number of steps does not fit.

    Example:
        >>> schedule = Schedule("cosine", peak=0.1, steps=100, warmup_steps=10)
        >>> [round(float(schedule(step)), 4) for step in (0, 9, 10, 55, 100)]
        [0.01, 0.1, 0.1, 0.05, 0.0]
    """

    def __init__(
        self, curve: str | Callable[[Tensor], Tensor], peak: float, steps: int, warmup_steps: int = 0
    ) -> None:
        self.curve = curve
        self.peak = peak
        self.steps = check_value("steps", steps, Annotated[int, AtLeast(1)])
        self.warmup_steps = check_value("warmup_steps", warmup_steps, Annotated[int, AtLeast(0)])
        self.scale = keras.Variable(
            1.0, trainable=False, dtype="float32", aggregation="only_first_replica", name="scale"
        )
        self._factor = _named(curve) if isinstance(curve, str) else curve

    @property
    def variables(self) -> list[keras.Variable]:
        """State to be saved, beside the configuration, to go on with the same learning rate."""
        return [self.scale]

    def fraction(self, step: TensorLike) -> Tensor:
        """Return how much of the run after the warm-up is over at `step`, from 0 to 1."""
        left = max(1, self.steps - self.warmup_steps)
        return ops.clip((ops.cast(step, "float32") - self.warmup_steps) / left, 0.0, 1.0)

    def __call__(self, step: TensorLike) -> Tensor:
        rate = self.peak * self._factor(self.fraction(step))
        if self.warmup_steps:
            step = ops.cast(step, "float32")
            rising = self.peak * (step + 1.0) / self.warmup_steps
            rate = ops.where(step < self.warmup_steps, rising, rate)
        return ops.multiply(rate, self.scale)

    def get_config(self) -> dict[str, Any]:
        if not isinstance(self.curve, str | Curve):
            raise InputError(
                "curve must be made by a function of kexp.schedules for the model to be saved; "
                f"received {self.curve!r}, so train without saving, or join the curves there are."
            )
        return {
            "curve": self.curve if isinstance(self.curve, str) else self.curve.to_json(),
            "peak": self.peak,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Schedule:
        settings = dict(config)
        recorded = settings.pop("course", None) or settings.pop("curve")  # "course" in older files
        return cls(recorded if isinstance(recorded, str) else curve_from_json(recorded), **settings)


def scale_learning_rate(optimizer: keras.optimizers.Optimizer, factor: float) -> None:
    """Multiply the learning rate of an optimizer, now and for the rest of its schedule.

    Args:
        optimizer: Has a `Schedule` or a plain number as its learning rate; may be inside a loss-scaling
            optimizer.
        factor: What the learning rate is multiplied by.

    Raises:
        InputError: The learning rate is some other schedule or function.

    Example:
        >>> optimizer = keras.optimizers.SGD(0.5)
        >>> scale_learning_rate(optimizer, 0.25)
        >>> float(optimizer.learning_rate)
        0.125
    """
    rate = learning_rate_of(optimizer)
    variable = rate.scale if isinstance(rate, Schedule) else rate
    if not isinstance(variable, keras.Variable):
        raise InputError(
            "optimizer must have a number or a kexp.schedules.Schedule as its learning rate for it to be "
            f"scaled; received {type(rate).__name__}, so write that one as a Schedule."
        )
    variable.assign(ops.multiply(variable, factor))


def plot(schedules: Schedule | Mapping[str, Schedule], steps: int) -> Figure:
    """Return a plot of the learning rate at every step.

    Args:
        schedules: One, or several by the names that the legend shows.
        steps: How many steps to draw, 1 or more.

    Raises:
        InputError: `steps` does not fit.

    Example:
        >>> figure = plot(Schedule("one_cycle", peak=0.1, steps=100), steps=100)
        >>> figure.axes[0].get_ylabel()
        'learning rate (per step)'
    """
    from kexp.core.shown_figure import ShownFigure

    numbers = np.arange(check_value("steps", steps, Annotated[int, AtLeast(1)]))
    named = schedules if isinstance(schedules, Mapping) else {"": schedules}
    figure = ShownFigure(figsize=(6.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for name, schedule in named.items():
        axes.plot(numbers, ops.convert_to_numpy(schedule(numbers)), label=name)
    axes.set(title="learning rate", xlabel="step (optimizer steps)", ylabel="learning rate (per step)")
    axes.grid(alpha=0.3)
    if len(named) > 1:
        axes.legend()
    return figure

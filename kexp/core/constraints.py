"""Ranges and choices on an argument's type: one line validates, documents and spans the search space."""

from __future__ import annotations

import math
import numbers
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from kexp.core.errors import InputError, nearest

Activation = Literal["relu", "gelu", "tanh", "sigmoid", "swish"]
Normalization = Literal["none", "batch", "layer"]
InputType = Literal["uint8", "float32"] | str  # `dataset.spec.dtype`, which is one of these for arrays


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, both included; searched over that range, on a log scale if `log`.

    Example:
        >>> from typing import Annotated
        >>> check_value("dropout", 0.2, Annotated[float, Between(0.0, 0.5)])
        0.2
    """

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"from {self.low:g} to {self.high:g}"

    def holds(self, number: float) -> bool:
        """Return whether a number lies in the range, its ends included."""
        return self.low <= number <= self.high


@dataclass(frozen=True)
class AtLeast:
    """A number that is `low` or more; validated, not searched."""

    low: float

    def __str__(self) -> str:
        return f"{self.low:g} or more"

    def holds(self, number: float) -> bool:
        """Return whether a number is as large as it must be."""
        return number >= self.low


def check_value(name: str, value: object, annotation: Any) -> Any:
    """Return `value` as the type that `annotation` asks for, or say in one sentence why it cannot be.

    Args:
        name: The argument, for the message.
        value: What the caller passed. An int is taken for a float; a list for a tuple.
        annotation: `int`, `float`, `str`, `bool`, `None`, a `Literal`, `tuple[X, ...]`, `tuple[X, X]`, a
            union of these, or any of them `Annotated` with `Between` or `AtLeast`.

    Returns:
        The value, converted where no information is lost.

    Raises:
        InputError: The type or the range does not fit.

    Example:
        >>> check_value("hidden", [256, 128], tuple[int, ...])
        (256, 128)
        >>> check_value("epochs", 0, Annotated[int, AtLeast(1)])
        Traceback (most recent call last):
        ...
        kexp.InputError: epochs must be a whole number, 1 or more; received 0.
    """
    fits, converted = _convert(value, annotation)
    if not fits:
        hint = nearest(value, _choices(annotation)) if isinstance(value, str) else ""
        raise InputError(f"{name} must be {describe(annotation)}; received {value!r}{hint}.")
    return converted


def describe(annotation: Any) -> str:
    """Return an annotation in words, as the error messages and the help show it.

    Example:
        >>> describe(Annotated[float, Between(0.0, 0.5)] | None)
        'a number, from 0 to 0.5, or None'
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *limits = get_args(annotation)
        ranges = [str(limit) for limit in limits if isinstance(limit, (Between, AtLeast))]
        return ", ".join([describe(inner), *ranges])
    if origin is Literal:
        return "one of " + ", ".join(repr(choice) for choice in get_args(annotation))
    if origin is tuple:
        first, *others = get_args(annotation)
        length = "" if others[-1:] == [Ellipsis] else f" of {1 + len(others)}"
        return f"a tuple{length}, each {describe(first)}"
    if origin in (Union, types.UnionType):
        return ", or ".join(describe(choice) for choice in get_args(annotation))
    words = {int: "a whole number", float: "a number", str: "a string", bool: "True or False"}
    return "None" if annotation in (None, type(None)) else words.get(annotation, str(annotation))


def ranges_of(annotation: Any) -> list[Between | AtLeast]:
    """Return the ranges on an annotation, also those inside a union.

    Example:
        >>> ranges_of(Annotated[float, Between(0.0, 0.5)] | None)
        [Between(low=0.0, high=0.5, log=False)]
    """
    own = [part for part in getattr(annotation, "__metadata__", ()) if isinstance(part, (Between, AtLeast))]
    parts = get_args(annotation)
    return own + [limit for part in (parts[:1] if own else parts) for limit in ranges_of(part)]


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [choice for choice in get_args(annotation) if isinstance(choice, str)]
    return [choice for part in get_args(annotation) for choice in _choices(part)]


def _convert(value: object, annotation: Any) -> tuple[bool, Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *limits = get_args(annotation)
        fits, converted = _convert(value, inner)
        numbers = converted if isinstance(converted, tuple) else (converted,)
        ranges = [limit for limit in limits if isinstance(limit, (Between, AtLeast))]
        return fits and all(limit.holds(number) for limit in ranges for number in numbers), converted
    if origin in (Union, types.UnionType):
        attempts = (_convert(value, choice) for choice in get_args(annotation))
        return next((attempt for attempt in attempts if attempt[0]), (False, value))
    if origin is Literal:
        return any(value is c or (type(value) is type(c) and value == c) for c in get_args(annotation)), value
    if origin is tuple:
        return _convert_tuple(value, get_args(annotation))
    return _convert_scalar(value, annotation)


def _convert_tuple(value: object, items: Sequence[Any]) -> tuple[bool, Any]:
    if not isinstance(value, (tuple, list)) or not value:
        return False, value
    if items[-1] is Ellipsis:
        items = [items[0]] * len(value)
    if len(items) != len(value):
        return False, value
    converted = [_convert(entry, item) for entry, item in zip(value, items, strict=True)]
    return all(fits for fits, _ in converted), tuple(entry for _, entry in converted)


def _convert_scalar(value: object, wanted: Any) -> tuple[bool, Any]:
    if wanted in (None, type(None)):
        return value is None, value
    if wanted in (int, float) and isinstance(value, bool):
        return False, value
    if wanted is float and isinstance(value, numbers.Real):
        return math.isfinite(value), float(value)
    if wanted is int and isinstance(value, numbers.Integral):
        return True, int(value)
    return isinstance(value, wanted), value

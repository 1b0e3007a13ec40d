"""Ranges and choices on an argument's type: one line validates, documents and spans the search space."""

from __future__ import annotations

import math
import numbers
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from kexp.core.errors import InputError, nearest, shown

Activation = Literal["relu", "gelu", "tanh", "sigmoid", "swish"]
Normalization = Literal["none", "batch", "layer"]
Resize = Literal["stretch", "crop", "pad"]  # how an image of another shape comes to a size
_LARGEST_INTEGER = 2**63 - 1  # that TensorFlow and NumPy count with
_LARGEST = 1e9  # of what has no upper end of its own: products of two such numbers still are 64-bit integers
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
        low, high = (str(end) if isinstance(end, int) else f"{end:g}" for end in (self.low, self.high))
        return f"from {low} to {high}"

    def holds(self, number: float) -> bool:
        """Return whether a number lies in the range, its ends included."""
        return self.low <= number <= self.high


@dataclass(frozen=True)
class AtLeast:
    """A number that is `low` or more, and no more than only a slip can have made; validated, not searched.

    Args:
        low: The least.
        most: The largest; default a thousand million.
    """

    low: float
    most: float = _LARGEST

    def __str__(self) -> str:
        return f"{self.low:g} or more"

    def holds(self, number: float) -> bool:
        """Return whether a number is as large as it must be, and not too large."""
        return self.low <= number <= self.most


# What several commands and functions take.
Count = Annotated[int, AtLeast(1)]
Seed = Annotated[int, Between(0, 2**31 - 1)]
Difference = Annotated[float, AtLeast(0.0)]
RangeTestSteps = Annotated[int, AtLeast(10, most=100_000)]
SeveralDevices = Annotated[int, AtLeast(2, most=64)]
SeveralWorkers = Annotated[int, AtLeast(2)]
ExampleCount = Annotated[int, Between(0, 64)]
SampleCount = Annotated[int, AtLeast(1, most=100_000)]
SampleSeed = Annotated[int, AtLeast(0, most=2**31 - 1)]
Level = Annotated[float, Between(0.01, 0.9999)]  # of probability that something holds
# What a file of kexp's own counts: nobody slips there, and a large number is a large model or folder.
RecordedCount = Annotated[int, AtLeast(0, most=math.inf)]


def check_value(name: str, value: object, annotation: Any) -> Any:
    """Return `value` as the type that `annotation` asks for, or say in one sentence why it cannot be.

    Args:
        name: The argument, for the message.
        value: What the caller passed. An int is taken for a float, a list for a tuple, a scalar of NumPy's
            for Python's.
        annotation: `int`, `float`, `str`, `bool`, `None`, a `Literal`, `tuple[X, ...]`, `tuple[X, X]`, a
            `Mapping[X, Y]`, a union of these, or any of them `Annotated` with `Between` or `AtLeast`.

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
        raise InputError(
            f"{name} must be {describe(annotation)}; received {shown(value)}{_hint(value, annotation)}."
        )
    return converted


def fits(value: object, annotation: Any) -> bool:
    """Return whether a value is, or can be made, of the type that an annotation asks for.

    Example:
        >>> fits([3], tuple[int, ...]), fits("3", int)
        (True, False)
    """
    return _convert(value, annotation)[0]


def plain(value: Any) -> Any:
    """Return a scalar of NumPy's, or of a subclass, as Python's own; anything else as it is.

    Example:
        >>> import numpy as np
        >>> plain(np.int64(3)), plain(np.str_("adam")), plain([3])
        (3, 'adam', [3])
    """
    numpy = sys.modules.get("numpy")  # without which there are none
    if numpy is not None and isinstance(value, numpy.generic):
        value = float(value) if isinstance(value, numpy.floating) else value.item()
    if isinstance(value, str) and type(value) is not str:
        return str.__str__(value)  # of an Enum, str() has its name
    return value


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
    if origin is Mapping:
        key, entry = map(describe, get_args(annotation))
        return f"a mapping, each {key} with {entry}"
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


def _hint(value: object, annotation: Any) -> str:
    """Return what else there is to say of a value that does not fit, in brackets."""
    value = plain(value)
    if isinstance(value, str):
        return nearest(value, _choices(annotation)) if _is_writable(value) else " (which is not Unicode)"
    ranges = ranges_of(annotation)
    if any(isinstance(limit, Between) for limit in ranges):
        return ""  # it says how large
    most = min([limit.most for limit in ranges if isinstance(limit, AtLeast)], default=_LARGEST_INTEGER)
    too_large = isinstance(value, int | float) and math.inf > value > most
    return f" (at most {int(most):,})" if too_large else ""


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [choice for choice in get_args(annotation) if isinstance(choice, str)]
    return [choice for part in get_args(annotation) for choice in _choices(part)]


def _convert(value: object, annotation: Any) -> tuple[bool, Any]:
    value, origin = plain(value), get_origin(annotation)
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
    if origin is Mapping:
        return _convert_mapping(value, get_args(annotation))
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


def _convert_mapping(value: object, parts: Sequence[Any]) -> tuple[bool, Any]:
    if not isinstance(value, Mapping):
        return False, value
    keys = [_convert(key, parts[0]) for key in value]
    values = [_convert(entry, parts[1]) for entry in value.values()]
    converted = {key: entry for (_, key), (_, entry) in zip(keys, values, strict=True)}
    return all(fits for fits, _ in (*keys, *values)), converted


def _convert_scalar(value: object, wanted: Any) -> tuple[bool, Any]:
    if wanted in (None, type(None)):
        return value is None, value
    if wanted in (int, float) and isinstance(value, bool):
        return False, value
    if wanted is float and isinstance(value, numbers.Real):
        return _as_float(value)
    if wanted is int and isinstance(value, numbers.Integral):
        return abs(int(value)) <= _LARGEST_INTEGER, int(value)
    if wanted is str and isinstance(value, str):
        return _is_writable(value), value
    return isinstance(value, wanted), value


def _as_float(value: numbers.Real) -> tuple[bool, Any]:
    try:
        return math.isfinite(value), float(value)
    except OverflowError:  # a whole number beyond all floats
        return False, value


def _is_writable(text: str) -> bool:
    """Return whether a text can be recorded; a name of a file that is not UTF-8 can."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True

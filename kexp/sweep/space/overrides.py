"""What a caller may write for an argument in `space`: ranges, choices, conditions, and their short forms."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from kexp.core.constraints import Between, check_value, ranges_of
from kexp.core.errors import InputError


@dataclass(frozen=True)
class When:
    """That an argument counts only where another one has certain values.

    On a recipe's annotation it says so for every sweep; in `space` it comes with what to search over.

    Args:
        argument: The other argument, which is searched over choices or fixed.
        values: Those of its values with which this one counts; a tuple, or a single value.
        space: In `space` only: what this argument is then searched over.

    Example:
        >>> When("optimizer", ("momentum", "nesterov"), Between(0.0, 0.1)).values
        ('momentum', 'nesterov')
        >>> When("flip", True).values
        (True,)
    """

    argument: str
    values: Any
    space: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple):
            object.__setattr__(self, "values", (self.values,))


def parse(name: str, given: Any, annotation: Any) -> Any:
    """Return a `Between`, a list of choices, or the value that is to be fixed.

    Args:
        name: The argument.
        given: What the caller wrote.
        annotation: The argument's type.

    Raises:
        InputError: A range does not read as one.

    Example:
        >>> parse("dropout", "0..0.5", float), parse("optimizer", "adam,sgd", str), parse("epochs", "3", int)
        (Between(low=0, high=0.5, log=False), ['adam', 'sgd'], 3)
    """
    if isinstance(given, str) and not _fits(given, annotation):
        return _from_text(name, given, annotation)
    if isinstance(given, str) and "," in given and not Path(given).expanduser().exists():
        return given.split(",")
    # Of an argument that is itself a tuple, two numbers are a value.
    two_numbers = (
        not takes_tuple(annotation)
        and isinstance(given, tuple)
        and len(given) == 2
        and all(_is_number(end) for end in given)
    )
    if two_numbers and not _fits(given, annotation):
        return _range(given[0], given[1], annotation)
    return given


def takes_tuple(annotation: Any) -> bool:
    """Return whether an argument of this type may be a tuple."""
    return get_origin(annotation) is tuple or any(takes_tuple(part) for part in get_args(annotation))


def _from_text(name: str, text: str, annotation: Any) -> Any:
    low, dots, high = text.partition("..")
    if dots:
        ends = [_number(end) for end in (low, high)]
        if not all(_is_number(end) for end in ends):
            raise InputError(f"{name} must be a range such as 0.1..0.5; received {text!r}.")
        return _range(ends[0], ends[1], annotation)
    if "," in text:
        return [_value(part.strip(), annotation) for part in text.split(",")]
    return _value(text, annotation)


def _range(low: float, high: float, annotation: Any) -> Between:
    return Between(low, high, log=any(getattr(limit, "log", False) for limit in ranges_of(annotation)))


def _value(text: str, annotation: Any) -> Any:
    words = {"true": True, "false": False, "none": None}
    value = words.get(text.lower(), _number(text))
    return text if _fits(text, annotation) else value


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _fits(value: Any, annotation: Any) -> bool:
    try:
        check_value("", value, annotation)
    except InputError:
        return False
    return True

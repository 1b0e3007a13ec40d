"""What a caller may write for an argument in `space`: ranges, choices, conditions, and their short forms."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from kexp.core.command_values import parse_number, parse_words
from kexp.core.constraints import Between, fits, ranges_of
from kexp.core.errors import InputError, shown
from kexp.core.user_paths import user_path


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


def read_override(name: str, words: Sequence[str], annotation: Any) -> Any:
    """Return what a command line says of an argument, as `space` takes it.

    Args:
        name: The argument.
        words: A range or choices in one word, or a value in one word or more.
        annotation: The argument's type.

    Raises:
        InputError: There is no word.

    Example:
        >>> read_override("epochs", ["1..3"], int), read_override("hidden", ["64", "32"], tuple[int, ...])
        ('1..3', (64, 32))
    """
    if not words:
        raise InputError(f"{name} must have a value, a range such as 1..9 or choices such as a,b after it.")
    searched = len(words) == 1 and (".." in words[0] or "," in words[0])
    return words[0] if searched else parse_words(words, annotation)


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
    if isinstance(given, str) and not fits(given, annotation):
        return _from_text(name, given, annotation)
    if isinstance(given, str) and "," in given and not _is_there(given):
        return [parse_words([part], annotation) for part in given.split(",")]
    # Of an argument that is itself a tuple, two numbers are a value.
    two_numbers = (
        not takes_tuple(annotation)
        and isinstance(given, tuple)
        and len(given) == 2
        and all(_is_number(end) for end in given)
    )
    if two_numbers and not fits(given, annotation):
        return _range(given[0], given[1], annotation)
    return given


def takes_tuple(annotation: Any) -> bool:
    """Return whether an argument of this type may be a tuple."""
    return get_origin(annotation) is tuple or any(takes_tuple(part) for part in get_args(annotation))


def _from_text(name: str, text: str, annotation: Any) -> Any:
    low, dots, high = text.partition("..")
    if dots:
        ends = [number for end in (low, high) if (number := parse_number(end.strip())) is not None]
        if len(ends) < 2 or not all(map(math.isfinite, ends)):
            raise InputError(f"{name} must be a range such as 0.1..0.5; received {shown(text)}.")
        return _range(ends[0], ends[1], annotation)
    if "," in text:
        return [parse_words([part.strip()], annotation) for part in text.split(",")]
    return parse_words([text], annotation)


def _range(low: float, high: float, annotation: Any) -> Between:
    return Between(low, high, log=any(getattr(limit, "log", False) for limit in ranges_of(annotation)))


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_there(path: str) -> bool:
    try:
        return user_path("data", path).exists()
    except InputError:
        return False

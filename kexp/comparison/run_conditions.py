"""Conditions on runs, as val_accuracy>0.9: they are read by a grammar, and never run as code."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kexp.comparison.run_row import RunRow
from kexp.core.command_values import parse_number
from kexp.core.errors import InputError, nearest, shown

_CONDITION = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|!=|==|=|<|>|~)\s*(.*?)\s*", re.DOTALL)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_NOT_A_VALUE = re.compile(
    r"\s+or\s+|[<>=~]", re.IGNORECASE
)  # would be compared as a text, and hold of no run
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FORM = (
    'conditions such as "val_accuracy>0.9 and recipe=mlp_images" (<, <=, >, >=, =, !=, or ~ for "has in it")'
)


@dataclass(frozen=True)
class Condition:
    """What one fact of a run has to be.

    Attributes:
        name: A column, a metric or an argument.
        comparison: <, <=, >, >=, =, !=, or ~, which asks for a text that has another in it.
        value: What it is compared with.
    """

    name: str
    comparison: str
    value: int | float | str

    def holds(self, row: RunRow) -> bool:
        """Return whether it holds of a run; of one that does not have the fact it does not."""
        known = row.known()
        if self.name not in known or known[self.name] is None:
            return False
        found = known[self.name]
        if self.comparison == "~":
            return str(self.value).lower() in str(found).lower()
        if self.comparison in ("=", "!="):
            return (found == self.value or str(found) == str(self.value)) == (self.comparison == "=")
        if isinstance(found, str) != isinstance(self.value, str):
            return False
        return _ORDERS[self.comparison](found, self.value)


def read_conditions(where: str) -> tuple[Condition, ...]:
    """Return the conditions of a text, all of which have to hold.

    Args:
        where: NAME, a comparison and a value each, and "and" between them; a value in quotes is a text.

    Raises:
        InputError: It is none.

    Example:
        >>> read_conditions("val_accuracy>0.9 and data=digits")[0]
        Condition(name='val_accuracy', comparison='>', value=0.9)
        >>> read_conditions("__import__('os')")
        Traceback (most recent call last):
        kexp.InputError: where must be conditions such as "val_accuracy>0.9 and ...; received ...
    """
    return tuple(_condition(part, where) for part in _AND.split(where))


def _condition(text: str, where: str) -> Condition:
    found = _CONDITION.fullmatch(text)
    if found is None or not found[3]:
        raise InputError(f"where must be {_FORM}; received {shown(where)}.")
    name, comparison, word = found.groups()
    quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "\"'"
    if not quoted and _NOT_A_VALUE.search(word):
        raise InputError(
            f'where must be {_FORM}, with "and" alone between them; received {shown(where)}; put quotes '
            "around a value that has a sign in it."
        )
    number = None if quoted else parse_number(word)
    value = word[1:-1] if quoted else word if number is None else number
    return Condition(name, "=" if comparison == "==" else comparison, value)


def require_known(name: str, argument: str, rows: Iterable[RunRow]) -> None:
    """Refuse a name that no run has; where there are no runs, every name will do.

    Args:
        name: A column, a metric or an argument.
        argument: Where it was given, for the message.
        rows: The runs.

    Raises:
        InputError: There are runs, and none has it.
    """
    known = {key for row in rows for key in row.known()}
    if known and name not in known:
        raise InputError(
            f"{argument} must name a column, a metric or an argument of the runs; received {shown(name)}"
            f"{nearest(name, known)}."
        )

"""What a sweep and its report have in common: the dimensions of a search, and the states of a trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

DimensionKind = Literal["float", "int", "choice"]


class TrialState(str, Enum):
    """Where a trial stands; equal to its name in small letters, as records have it.

    Example:
        >>> TrialState("failed").ended, TrialState.RUNNING.ended, f"{TrialState.PRUNED}"
        (True, False, 'pruned')
    """

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    PRUNED = "pruned"

    def __str__(self) -> str:
        return self.value

    @property
    def ended(self) -> bool:
        """Whether it is over, with a result or without."""
        return self not in (TrialState.WAITING, TrialState.RUNNING)


@dataclass(frozen=True)
class Dimension:
    """One searched argument, or one entry of a tuple.

    Attributes:
        name: The argument, or `argument[0]` for an entry of a tuple.
        kind: "float" and "int" have a range, "choice" has choices.
        low: Smallest number, included.
        high: Largest number, included.
        log: Whether a range is searched on a log scale.
        choices: Values to choose from.
        condition: Another searched choice, named before this one, and the values of it with which this one
            counts; None for always.

    Example:
        >>> rate = Dimension("learning_rate", "float", 1e-4, 1e-2, log=True)
        >>> rate.position(1e-3), rate.value(0.5), str(rate)
        (0.5, 0.001, '0.0001 to 0.01, log')
        >>> Dimension("optimizer", "choice", choices=("adam", "sgd")).position("sgd")
        1.0
    """

    name: str
    kind: DimensionKind
    low: float = 0
    high: float = 1
    log: bool = False
    choices: tuple[Any, ...] = ()
    condition: tuple[str, tuple[Any, ...]] | None = None

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Dimension:
        """Return what `dataclasses.asdict` has made of a dimension, also after it went through JSON."""
        choices = tuple(tuple(one) if isinstance(one, list) else one for one in fields.get("choices", ()))
        condition = fields.get("condition")
        when = None if condition is None else (condition[0], tuple(condition[1]))
        return cls(**{**fields, "choices": choices, "condition": when})

    def __str__(self) -> str:
        if self.kind == "choice":
            text = "one of " + ", ".join(map(str, self.choices))
        else:
            text = f"{self.low:g} to {self.high:g}{', log' if self.log else ''}"
        when = (
            f", with {self.condition[0]} {' or '.join(map(str, self.condition[1]))}" if self.condition else ""
        )
        return text + when

    @property
    def argument(self) -> str:
        """The recipe's argument that this is, or is an entry of."""
        return self.name.partition("[")[0]

    def points(self, most: int) -> tuple[Any, ...]:
        """Return all choices, or up to `most` numbers spread evenly over the range, both ends included."""
        if self.kind == "choice":
            return self.choices
        back: Callable[[float], float] = math.exp if self.log else float
        low, high = self._scaled(self.low), self._scaled(self.high)
        steps = [back(low + (high - low) * step / (most - 1)) for step in range(1, most - 1)]
        between = [round(number) for number in steps] if self.kind == "int" else steps
        return tuple(dict.fromkeys((self.low, *between, self.high)))

    def position(self, value: Any) -> float:
        """Return where a value lies, from 0 at the low end or first choice to 1; NaN for None of a range."""
        if self.kind == "choice":
            known = [label(choice) for choice in self.choices]
            return known.index(label(value)) / max(len(known) - 1, 1) if label(value) in known else math.nan
        if value is None:
            return math.nan
        low, high, number = self._scaled(self.low), self._scaled(self.high), self._scaled(value)
        return round((number - low) / (high - low), 12) if high > low else 0.5

    def value(self, share: float) -> Any:
        """Return the value at a share of the range or of the choices, 0 or more and less than 1."""
        if self.kind == "choice":
            return self.choices[int(share * len(self.choices))]
        low, high = self._scaled(self.low), self._scaled(self.high)
        scaled = low + share * (high - low)
        number = math.exp(scaled) if self.log else scaled
        return round(number) if self.kind == "int" else round(number, 12)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else float(value)


def label(value: Any) -> str:
    """Return a value as it is shown; a list reads as the tuple that it was before it went through JSON.

    Example:
        >>> label([64, 32]), label(0.00012345678), label(None)
        ('64, 32', '0.0001235', 'None')
    """
    if isinstance(value, (list, tuple)):
        return ", ".join(map(label, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)

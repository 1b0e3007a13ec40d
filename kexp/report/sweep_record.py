"""A sweep as plain data: what the figures, the page and the importance are made from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Direction = Literal["max", "min"]
State = Literal["waiting", "running", "completed", "failed", "pruned"]


@dataclass(frozen=True)
class Searched:
    """One searched argument, or one entry of a tuple.

    Attributes:
        name: The argument, or `argument[0]` for an entry of a tuple.
        kind: "float" and "int" have a range, "choice" has choices.
        low: Smallest number, included.
        high: Largest number, included.
        log: Whether the range is searched on a log scale.
        choices: Values to choose from.
        condition: Another searched choice, named before this one, and the values of it with which this one
            counts; None for always.

    Example:
        >>> rate = Searched("learning_rate", "float", 1e-4, 1e-2, log=True)
        >>> rate.position(1e-3), rate.value(0.5)
        (0.5, 0.001)
        >>> Searched("optimizer", "choice", choices=("adam", "sgd")).position("sgd")
        1.0
    """

    name: str
    kind: Literal["float", "int", "choice"]
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[Any, ...] = ()
    condition: tuple[str, tuple[Any, ...]] | None = None

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Searched:
        """Return what `dataclasses.asdict` has made of an argument, also after it went through JSON."""
        condition = fields.get("condition")
        when = None if condition is None else (condition[0], tuple(condition[1]))
        return cls(**{**fields, "choices": tuple(fields.get("choices", ())), "condition": when})

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


@dataclass(frozen=True)
class TrialRecord:
    """How one trial went.

    Attributes:
        number: Its number, from 0.
        state: "waiting", "running", "completed", "failed" or "pruned".
        arguments: What was searched, by the names of `SweepRecord.searched`; one that does not count with
            the others is absent.
        score: The objective's final value, or None.
        metrics: Final metrics by name.
        history: Metrics of every epoch by name.
        seconds: Spent on it.
        bytes: On the disk.
        error: Why it failed or was pruned, or None.
    """

    number: int
    state: State
    arguments: dict[str, Any]
    score: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    bytes: int = 0
    error: str | None = None

    @property
    def ranked(self) -> bool:
        """Whether it completed with a finite score, and so stands in the ranking."""
        return self.state == "completed" and self.score is not None and math.isfinite(self.score)


@dataclass(frozen=True)
class SweepRecord:
    """A sweep, also one that is still running.

    Attributes:
        recipe: Its name.
        objective: The metric that is searched for.
        direction: "max" when a higher value is better, "min" when a lower one is.
        algorithm: What proposed the trials.
        trials: In the order of their numbers.
        searched: What was searched.
        fixed: Arguments that every trial got.
        seed: Of the sweep, or None.
        budget: What was asked for, in words.
        seconds: From the first start to the last end on the wall clock, or None.
        retraining: What `retrain` found, in words; empty when it has not been called.

    Example:
        >>> trials = [TrialRecord(0, "completed", {"width": 8}, 0.7), TrialRecord(1, "failed", {"width": 9})]
        >>> record = SweepRecord("net", "val_accuracy", "max", "random", tuple(trials))
        >>> record.best.number, record.count("failed")
        (0, 1)
    """

    recipe: str
    objective: str
    direction: Direction
    algorithm: str
    trials: tuple[TrialRecord, ...]
    searched: tuple[Searched, ...] = ()
    fixed: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    budget: str = ""
    seconds: float | None = None
    retraining: str = ""

    @cached_property
    def ranking(self) -> list[TrialRecord]:
        """The completed trials, best first; equal ones by number."""
        sign = -1.0 if self.direction == "max" else 1.0
        return sorted(
            (trial for trial in self.trials if trial.ranked),
            key=lambda trial: (sign * float(trial.score or 0.0), trial.number),
        )

    @property
    def best(self) -> TrialRecord | None:
        """The best completed trial, or None when none has completed."""
        return next(iter(self.ranking), None)

    @cached_property
    def standing(self) -> dict[int, float]:
        """By number of the completed trials: place in the ranking, from 0 for the worst to 1 for the best."""
        most = max(len(self.ranking) - 1, 1)
        return {trial.number: 1.0 - place / most for place, trial in enumerate(self.ranking)}

    @property
    def better(self) -> str:
        """Which way the objective is to go, in words."""
        return "higher is better" if self.direction == "max" else "lower is better"

    def count(self, state: State) -> int:
        """Return how many trials are in a state."""
        return sum(trial.state == state for trial in self.trials)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per trial, with a column per searched argument and per metric."""
        import pandas as pd

        names = [argument.name for argument in self.searched]
        rows = [
            {"trial": trial.number, "state": trial.state, "score": trial.score}
            | {name: trial.arguments.get(name) for name in names}
            | trial.metrics
            | {"seconds": trial.seconds, "bytes": trial.bytes, "error": trial.error}
            for trial in self.trials
        ]
        return pd.DataFrame(rows).set_index("trial") if rows else pd.DataFrame()


def label(value: Any) -> str:
    """Return a value as it is shown; a list reads as the tuple that it was before it went through JSON.

    Example:
        >>> label([64, 32]), label(0.00012345678), label(None)
        ('64, 32', '0.0001235', 'None')
    """
    if isinstance(value, (list, tuple)):
        return ", ".join(map(label, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def read_history(run_dir: Path) -> dict[str, list[float]]:
    """Return the metrics of every epoch by name, of a run that may be under way or have failed.

    Example:
        >>> read_history(Path("no/such/run"))
        {}
    """
    path = run_dir / "metrics.jsonl"
    history: dict[str, list[float]] = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else []:
        try:
            metrics = json.loads(line)
        except json.JSONDecodeError:  # the last line, half written
            break
        for name, value in metrics.items():
            if name != "epoch":
                history.setdefault(name, []).append(value)
    return history


def fences(values: list[float]) -> tuple[float, float]:
    """Return the range of all values but the far-out ones, three interquartile ranges off the quartiles.

    A single loss of 1e6 would otherwise flatten every axis, and be all of the variance.

    Source:
        Tukey, Exploratory Data Analysis, 1977, on outer fences.

    Example:
        >>> fences([1.0, 2.0, 3.0, 4.0, 5.0, 1e6])
        (1.0, 5.0)
    """
    low, high = np.quantile(values, [0.25, 0.75])
    reach = 3.0 * (high - low)
    inside = [value for value in values if low - reach <= value <= high + reach]
    return min(inside), max(inside)

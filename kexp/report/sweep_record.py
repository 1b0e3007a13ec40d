"""A sweep as plain data: what the figures, the page and the importance are made from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.search import Dimension, TrialState
from kexp.metrics.direction import Direction
from kexp.run.metrics_file import read_epochs
from kexp.run.run_files import METRICS, RESULT, read_result, require_unchanged

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TrialRecord:
    """How one trial went.

    Attributes:
        number: Its number, from 0.
        state: Where it stands.
        arguments: What was searched, by the names of `SweepRecord.searched`; one that does not count with
            the others is absent.
        score: The objective's final value, or None.
        metrics: Final figures by name.
        history: Figures of every epoch by name.
        seconds: Spent on it.
        bytes: On the disk.
        error: Why it failed or was pruned, or None.
    """

    number: int
    state: TrialState
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
        return self.state == TrialState.COMPLETED and self.score is not None and math.isfinite(self.score)


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
        >>> done = TrialRecord(0, TrialState.COMPLETED, {"width": 8}, 0.7)
        >>> trials = [done, TrialRecord(1, TrialState.FAILED, {"width": 9})]
        >>> record = SweepRecord("net", "val_accuracy", "max", "random", tuple(trials))
        >>> record.best.number, record.count("failed")
        (0, 1)
    """

    recipe: str
    objective: str
    direction: Direction
    algorithm: str
    trials: tuple[TrialRecord, ...]
    searched: tuple[Dimension, ...] = ()
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

    def count(self, state: TrialState | str) -> int:
        return sum(trial.state == state for trial in self.trials)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per trial, with a column per searched argument and per metric."""
        import pandas as pd

        names = [argument.name for argument in self.searched]
        rows = [
            {"trial": trial.number, "state": str(trial.state), "score": trial.score}
            | {name: trial.arguments.get(name) for name in names}
            | trial.metrics
            | {"seconds": trial.seconds, "bytes": trial.bytes, "error": trial.error}
            for trial in self.trials
        ]
        return pd.DataFrame(rows).set_index("trial") if rows else pd.DataFrame()


def read_history(run_dir: Path) -> dict[str, list[float]]:
    """Return the metrics of every epoch by name, of a run that may be under way or have failed.

    Raises:
        InputError: Its metrics.jsonl is damaged, or not what it wrote.

    Example:
        >>> read_history(Path("no/such/run"))
        {}
    """
    if (run_dir / RESULT).is_file():
        require_unchanged(run_dir / METRICS, read_result(run_dir).get("files") or {})
    history: dict[str, list[float]] = {}
    for metrics in read_epochs(run_dir):
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

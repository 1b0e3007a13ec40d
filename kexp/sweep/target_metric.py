"""The metric that a sweep optimises: its name, its direction, and how trials rank by it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kexp.core.errors import InputError, nearest
from kexp.core.search import TrialState
from kexp.metrics.direction import Direction, better, required_direction, signed_metric
from kexp.sweep.metadata import Target
from kexp.sweep.state import ProbeResult, Trial


class TargetMetric:
    """What decides between trials.

    Args:
        asked: Name of a metric, "+" or "-" before it where more or less is better; or None for the one by
            which the recipe chooses its best epoch.
        mode: Whether the best is the "max" or the "min" of it; None (default): as the sign or the recipe has
            it.
        after_epochs: Whether trials are compared by it after each epoch, too; default False.

    Attributes:
        name: Of the metric; None until a run has been looked at.
        mode: "max" or "min".
    """

    def __init__(
        self, asked: str | None, mode: Direction | None = None, *, after_epochs: bool = False
    ) -> None:
        name, signed = (None, None) if asked is None else signed_metric(asked)
        mode = mode or signed
        self.name = name
        self.mode: Direction = mode or (better(name) if name else "max")
        self._settled = mode is not None
        self._after_epochs = after_epochs

    @classmethod
    def recorded(cls, target: Target | None) -> TargetMetric:
        """Return the metric that a sweep has recorded."""
        return cls(None) if target is None else cls(target.name, target.mode)

    @property
    def record(self) -> Target:
        return Target(self.name, self.mode)

    def settle(self, probe: ProbeResult) -> None:
        """Take name and direction from what a look at a run has shown, if it has shown any.

        Raises:
            InputError: A run of the recipe has no such metric.
        """
        if probe.mistake is not None:
            raise InputError(probe.mistake)
        if not probe.known:
            return
        if self.name is None:
            if probe.monitor is None:
                raise InputError(
                    "objective must be a metric on validation data, and validation=0 leaves none; "
                    "leave it out or name a metric on training data."
                )
            self.name, self.mode = probe.monitor, probe.metrics[probe.monitor] or better(probe.monitor)
            return
        if self.name not in probe.metrics or self.name.startswith("test_"):
            known = [name for name in probe.metrics if not name.startswith("test_")]
            raise InputError(
                f"objective must be a metric of the recipe's, {', '.join(known)}; received "
                f"{self.name!r}{nearest(self.name, known)}."
            )
        if self._after_epochs and self.name in (probe.at_end or ()):
            raise InputError(
                f"prune compares trials after each epoch, and {self.name} is measured at their end; give "
                f"monitor={self.name!r} too, or leave prune out."
            )
        if not self._settled:
            self.mode = required_direction("objective", self.name, probe.metrics[self.name])

    def judged(self, trial: Trial) -> tuple[TrialState, float | None, str | None]:
        """Return a trial's state, score and error: completed needs a finite metric."""
        if self.name is None and trial.metrics:
            self.name = next(name for name in ("val_accuracy", "val_loss", "loss") if name in trial.metrics)
            self.mode = better(self.name)
        score = trial.metrics.get(self.name or "")
        if trial.state != TrialState.COMPLETED:
            return trial.state, score, trial.error
        if score is None:
            known = ", ".join(trial.metrics)
            error = f"The objective {self.name} is not among the run's metrics: {known}."
            return TrialState.FAILED, None, error
        if not math.isfinite(score):
            return TrialState.FAILED, None, f"The objective {self.name} is {score}."
        return TrialState.COMPLETED, score, None

    def to_maximise(self, score: float | None) -> float | None:
        """Return a score as something to maximise."""
        return None if score is None else score if self.mode == "max" else -score

    def ranked(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the completed trials, best first; of equals, the earlier."""
        done = [trial for trial in trials if trial.reported and trial.state == TrialState.COMPLETED]
        return sorted(done, key=lambda trial: (-(self.to_maximise(trial.score) or 0.0), trial.number))

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """Return the best completed trial, or None."""
        return next(iter(self.ranked(trials)), None)

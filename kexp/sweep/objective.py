"""The figure that a sweep optimises: its name, its direction, and how trials rank by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kexp.core.errors import InputError, nearest
from kexp.metrics.direction import better
from kexp.sweep.store import State, Trial


class Objective:
    """What decides between trials.

    Args:
        asked: Name of a figure, or None for the one by which the recipe chooses its best epoch.

    Attributes:
        name: Of the figure; None until a run has been looked at.
        mode: "max" or "min".
    """

    def __init__(self, asked: str | None) -> None:
        self.name = asked
        self.mode: str = better(asked) if asked else "max"

    def settle(self, look: dict[str, Any]) -> None:
        """Take name and direction from what was seen of a run, if anything was.

        Raises:
            InputError: A run of the recipe has no such figure.
        """
        if "mistake" in look:
            raise InputError(look["mistake"])
        if "monitor" not in look:
            return
        if self.name is None:
            if look["monitor"] is None:
                raise InputError(
                    "objective must be a figure on validation data, and validation=0 leaves none; "
                    "leave it out or name a figure on training data."
                )
            self.name, self.mode = look["monitor"], look["mode"]
            return
        directions = {"loss": "min", **look["directions"]}
        figure = self.name.removeprefix("val_")
        if figure not in directions or self.name.startswith("test_"):
            known = [f"{part}{name}" for name in directions for part in ("val_", "")]
            raise InputError(
                f"objective must be a figure of the recipe's, {', '.join(known)}; received "
                f"{self.name!r}{nearest(self.name, known)}."
            )
        self.mode = directions[figure]

    def judged(self, trial: Trial) -> tuple[State, float | None, str | None]:
        """Return a trial's state, score and error: completed needs a finite figure."""
        if self.name is None and trial.metrics:
            self.name = next(name for name in ("val_accuracy", "val_loss", "loss") if name in trial.metrics)
            self.mode = better(self.name)
        score = trial.metrics.get(self.name or "")
        if trial.state != "completed":
            return trial.state, score, trial.error
        if score is None:
            known = ", ".join(trial.metrics)
            return "failed", None, f"The objective {self.name} is not among the run's figures: {known}."
        if not math.isfinite(score):
            return "failed", None, f"The objective {self.name} is {score}."
        return "completed", score, None

    def to_maximise(self, score: float | None) -> float | None:
        """Return a score as something to maximise."""
        return None if score is None else score if self.mode == "max" else -score

    def ranked(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the completed trials, best first; of equals, the earlier."""
        done = [trial for trial in trials if trial.told and trial.state == "completed"]
        return sorted(done, key=lambda trial: (-(self.to_maximise(trial.score) or 0.0), trial.number))

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """Return the best completed trial, or None."""
        return next(iter(self.ranked(trials)), None)

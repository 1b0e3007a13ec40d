"""pace.jsonl of a run folder: how long each epoch took, its gradient norm, and its last learning rate."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from kexp.core.files import replacing
from kexp.engine.base import Engine
from kexp.run.pace_lines import GRADIENT_NORM, LEARNING_RATE, SAMPLES_PER_SECOND, SECONDS, read_pace
from kexp.run.run_files import PACE
from kexp.trackers.base import TrackedRun
from kexp.train.position import Position


class PaceFile:
    """Keeps pace.jsonl of the run folder: how an epoch went, which nothing is to be chosen by.

    Times differ from run to run. Learning rates and gradient norms are the same of the same run, also of one
    that was stopped and went on. The norm is the mean over the steps of the epoch of the global norm of the
    gradient before it is clipped; see `Engine.gradient_norms`.

    Args:
        engine: Whose optimizers have the learning rates, and whose steps have the gradients.
        position: Gives where the training stands.
        samples_per_step: Training samples of a step.
        samples: Training samples of an epoch; None: nobody knows.
    """

    name = "pace.jsonl"

    def __init__(
        self,
        engine: Engine,
        position: Callable[[], Position],
        samples_per_step: int,
        samples: int | None,
    ) -> None:
        self._engine, self._position = engine, position
        self._samples_per_step, self._samples = samples_per_step, samples
        self._path = Path(PACE)
        self._skipped = 0
        self._since_s = 0.0

    def started(self, run: TrackedRun, history: list[dict[str, float]]) -> None:
        """Keep the lines of the epochs so far."""
        self._path = run.run_dir / PACE
        last = run.first + len(history)
        kept = [line for line in read_pace(run.run_dir) if line["epoch"] <= last]
        with replacing(self._path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        self._skipped = self._position().step * self._samples_per_step
        self._since_s = time.monotonic()

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        """Add the line of an epoch, counted from 1, with its validation."""
        now_s = time.monotonic()
        seconds, self._since_s = now_s - self._since_s, now_s
        line: dict[str, Any] = {"epoch": number, SECONDS: round(seconds, 4)}
        if self._samples is not None:
            line[SAMPLES_PER_SECOND] = round((self._samples - self._skipped) / max(seconds, 1e-6), 1)
        self._skipped = 0
        norms = self._engine.gradient_norms()
        players = zip(self._engine.players, self._engine.optimizers, strict=True)
        for place, (player, optimizer) in enumerate(players):
            of = f"_of_{player.name}" if place else ""
            # As an array: of several replicas it is a variable for each.
            line[f"{LEARNING_RATE}{of}"] = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            if player.name in norms:
                line[f"{GRADIENT_NORM}{of}"] = norms[player.name]
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def finished(self, metrics: dict[str, float]) -> None:
        """Add nothing."""

    def failed(self, error: BaseException) -> None:
        """Add nothing."""

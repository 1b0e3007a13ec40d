"""The only training loop: epochs of steps in a seeded order, validation, callbacks and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kexp.data.pipeline import batches, epoch_order
from kexp.train.checkpoint import Checkpoint, load_latest, save_checkpoint
from kexp.train.engine_tensorflow import TensorFlowEngine
from kexp.train.options import TrainOptions, parse_interval
from kexp.train.progress import EpochLines
from kexp.train.signals import Stopped, StopRequest

_STEPS_PER_CALL = 100
_SECONDS_PER_CALL = 0.5  # longer calls would freeze the progress bar


@dataclass
class Position:
    """Where a run stands; with the engine's variables, all that is needed to go on from there."""

    epoch: int = 0
    step: int = 0  # in the epoch
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int | None = None
    best_value: list[float] | None = None  # compared in order, higher is better
    waited_epochs: int = 0
    finished: bool = False


class Loop:
    """Trains the model of an engine.

    Args:
        engine: Takes the steps.
        samples: Training samples.
        options: Complete training options.
        checkpoints: Folder for the state of the run.
        callbacks: Keras callbacks of the user.
        on_epoch: Called with the number of each epoch, from 1, and its figures.
    """

    def __init__(
        self,
        engine: TensorFlowEngine,
        samples: int,
        options: TrainOptions,
        checkpoints: Path,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        on_epoch: Callable[[int, dict[str, float]], None] = lambda epoch, figures: None,
    ) -> None:
        self.engine = engine
        self._samples = samples
        self.options = options
        self.position = Position()
        self.best_weights: list[np.ndarray] | None = None
        self._checkpoints = checkpoints
        self._on_epoch = on_epoch
        self._steps_per_epoch = -(-samples // options["batch_size"])
        self._stop = StopRequest()
        self._due = _Due(options["checkpoint_every"])
        self._lines = None if options["quiet"] else EpochLines(options["epochs"], self._steps_per_epoch)
        own = [] if self._lines is None else [self._lines]
        self._callbacks = keras.callbacks.CallbackList(
            [*callbacks, *own],
            model=engine.model,
            epochs=options["epochs"],
            steps=self._steps_per_epoch,
            verbose=0,
        )
        # A callback that looks at every batch is called at every batch, as plain Keras would.
        self._steps_per_call = 1 if any(_watches_batches(callback) for callback in callbacks) else 10

    def restore(self) -> bool:
        """Go on from the newest undamaged checkpoint, and return whether there was one."""
        checkpoint = load_latest(self._checkpoints)
        if checkpoint is None:
            return False
        self.position = Position(**checkpoint.position)
        best = {name: array for name, array in checkpoint.arrays.items() if name.startswith("best/")}
        self.best_weights = [best[f"best/{number}"] for number in range(len(best))] or None
        self.engine.restore_state(checkpoint.arrays)
        return True

    def run(self) -> None:
        """Train to the end and leave the chosen weights in the model: the best by validation, or the last.

        Raises:
            Stopped: SIGINT or SIGTERM came; the state is saved.
        """
        self.engine.model.stop_training = False
        self._callbacks.on_train_begin()
        try:
            with self._stop:
                while not self._over():
                    self._epoch()
        finally:
            if self._lines is not None:
                self._lines.close()
        self._callbacks.on_train_end()
        if self.best_weights is not None:
            self.engine.model.set_weights(self.best_weights)

    def _over(self) -> bool:
        return self.position.finished or self.position.epoch >= self.options["epochs"]

    def _epoch(self) -> None:
        position = self.position
        self._callbacks.on_epoch_begin(position.epoch)
        if position.step == 0:
            self.engine.reset_metrics()
        self._train_epoch()
        figures = self.engine.measured()
        validated = self.engine.validate(self.options["batch_size"])
        figures.update({f"val_{name}": value for name, value in validated.items()})
        position.history.append(figures)
        self._choose(figures)
        self._callbacks.on_epoch_end(position.epoch, figures)
        position.epoch, position.step = position.epoch + 1, 0
        position.finished = self._stops_early() or self.engine.model.stop_training
        self._on_epoch(position.epoch, figures)
        if self._due.after_epoch(position.epoch) or self._over():
            self._save()

    def _train_epoch(self) -> None:
        order = epoch_order(self._samples, self.options["seed"], self.position.epoch)
        taken = self.position.step
        full, tail = batches(order, self.options["batch_size"])
        self._run_rows(full[taken:])
        if tail.size and taken <= len(full):
            self._run_rows(tail[None])

    def _run_rows(self, rows: np.ndarray) -> None:
        while len(rows):
            count = min(len(rows), self._steps_per_call, self._due.steps_left(self._steps_taken()))
            started_s = time.perf_counter()
            self._callbacks.on_train_batch_begin(self.position.step)
            self.engine.run(rows[:count])
            self.position.step += count
            self._callbacks.on_train_batch_end(self.position.step - 1, self.engine.measured())
            if self._lines is not None:
                self._lines.show_steps(self.position.step)
            self._adapt(count, time.perf_counter() - started_s)
            rows = rows[count:]
            if self._due.within_epoch(self._steps_taken()) or self._stop.signal_number:
                self._save()
            if self._stop.signal_number:
                raise Stopped(self._stop.signal_number, self._steps_taken())

    def _adapt(self, count: int, seconds: float) -> None:
        if self._steps_per_call > 1:
            affordable = int(count * _SECONDS_PER_CALL / max(seconds, 1e-6))
            self._steps_per_call = min(_STEPS_PER_CALL, max(2, affordable))

    def _choose(self, figures: dict[str, float]) -> None:
        objective, position = self.engine.objective, self.position
        if objective.monitor not in figures:
            return
        sign = 1.0 if objective.mode == "max" else -1.0
        # Accuracy on few samples ties often; the lower loss decides then, not the earlier epoch.
        value = [sign * figures[objective.monitor], -figures["val_loss"]]
        if np.isnan(value).any():  # nothing is better than NaN, as far as comparisons go
            value = [-np.inf, -np.inf]
        if position.best_value is None or value > position.best_value:
            position.best_epoch, position.best_value = position.epoch + 1, value
            position.waited_epochs = 0
            self.best_weights = [np.copy(weight) for weight in self.engine.model.get_weights()]
        else:
            position.waited_epochs += 1

    def _stops_early(self) -> bool:
        patience = self.options["early_stop"]
        return bool(patience) and self.position.waited_epochs >= patience

    def _save(self) -> None:
        best = {f"best/{number}": array for number, array in enumerate(self.best_weights or [])}
        arrays = {**self.engine.read_state(), **best}
        save_checkpoint(self._checkpoints, self._steps_taken(), Checkpoint(arrays, asdict(self.position)))

    def _steps_taken(self) -> int:
        return self.position.epoch * self._steps_per_epoch + self.position.step


class _Due:
    """Says when a checkpoint is due, from "10 steps", "1 epoch" or "5 minutes"."""

    def __init__(self, every: str) -> None:
        self._amount, self._unit = parse_interval(every)
        self._saved_s = time.monotonic()

    def after_epoch(self, epoch: int) -> bool:
        return self._unit == "epochs" and epoch % self._amount == 0

    def within_epoch(self, steps_taken: int) -> bool:
        if self._unit == "minutes" and time.monotonic() - self._saved_s >= 60 * self._amount:
            self._saved_s = time.monotonic()
            return True
        return self._unit == "steps" and steps_taken % self._amount == 0

    def steps_left(self, steps_taken: int) -> int:
        """Return how many steps may be taken before the next checkpoint by steps is due."""
        if self._unit != "steps":
            return _STEPS_PER_CALL
        return int(self._amount - steps_taken % self._amount)


def _watches_batches(callback: Any) -> bool:
    hooks = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
    return any(getattr(type(callback), hook) is not getattr(keras.callbacks.Callback, hook) for hook in hooks)

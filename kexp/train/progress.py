"""What a run shows while it trains: a bar with an estimate on a terminal, and one line per epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class EpochLines(keras.callbacks.Callback):
    """Prints one line per epoch and, on a terminal, a bar with the time that is left.

    Args:
        epochs: Epochs of the run.
        steps: Steps of one epoch; None: nobody knows, so that there is no estimate.
    """

    def __init__(self, epochs: int, steps: int | None) -> None:
        super().__init__()
        self.epochs = epochs
        self.steps = steps
        self._console = Console(highlight=False, soft_wrap=True, markup=False)
        known = (TextColumn("{task.percentage:.0f} %"), TimeRemainingColumn())
        columns = (TextColumn("{task.description}"), BarColumn(), *(() if steps is None else known))
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("", total=None if steps is None else epochs * steps)
        self._epoch = 0
        self._started_s = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        self._started_s = time.perf_counter()
        self.show_steps(0)
        if self._console.is_terminal:
            self._bar.start()

    def show_steps(self, steps: int) -> None:
        """Move the bar to so many steps of the epoch."""
        label = f"epoch {self._epoch + 1}/{self.epochs}"
        if self.steps is None:
            self._bar.update(self._task, description=f"{label}, {steps:,} steps")
        else:
            self._bar.update(self._task, completed=self._epoch * self.steps + steps, description=label)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        seconds = time.perf_counter() - self._started_s
        self._console.print(epoch_line(epoch, self.epochs, logs or {}, seconds))

    def say(self, text: str) -> None:
        """Print a line of its own."""
        self._console.print(text)

    def close(self) -> None:
        """Take the bar away, also when the run is interrupted."""
        self._bar.stop()


def epoch_line(epoch: int, epochs: int, metrics: Mapping[str, float], seconds: float) -> str:
    """Return what is said of an epoch, counted from 0.

    Example:
        >>> epoch_line(0, 3, {"val_loss": 0.25, "loss": 0.5, "iou_cat": 0.1}, 1.2)
        'epoch 1/3  loss 0.5  val_loss 0.25  (1.2 s)'
    """
    # Those of the classes are many; they are in metrics.jsonl and on the run's page.
    chosen = [item for item in metrics.items() if not item[0].removeprefix("val_").startswith("iou_")]
    shown = "  ".join(f"{name} {value:.4g}" for name, value in sorted(chosen, key=_place))
    return f"epoch {epoch + 1}/{epochs}  {shown}  ({seconds:.1f} s)"


def _place(metric: tuple[str, float]) -> tuple[bool, bool, str]:
    """Sort the loss before the metrics, and training before validation."""
    name = metric[0]
    return name.startswith("val_"), not name.endswith("loss"), name

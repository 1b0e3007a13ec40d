"""The progress of a run in a notebook: one bar that is updated in its place."""

from __future__ import annotations

import time
from collections.abc import Mapping
from html import escape
from typing import Any

import keras
from rich.console import Console

from kexp.train.progress import EpochLines, epoch_line

_SHOWN_S = 0.2  # from one update to the next


def epoch_progress(epochs: int, steps: int | None) -> EpochLines | NotebookBar:
    """Return what shows how a run goes, where this process is: a notebook, a terminal or neither.

    Args:
        epochs: Epochs of the run.
        steps: Steps of one epoch; None: nobody knows.

    Example:
        >>> type(epoch_progress(10, 100)).__name__
        'EpochLines'
    """
    return NotebookBar(epochs, steps) if Console().is_jupyter else EpochLines(epochs, steps)


class NotebookBar(keras.callbacks.Callback):
    """Shows a bar, the time that is left and the metrics of the last epoch.

    Args:
        epochs: Epochs of the run.
        steps: Steps of one epoch; None: nobody knows, so that there is no estimate.
    """

    def __init__(self, epochs: int, steps: int | None) -> None:
        super().__init__()
        self.epochs = epochs
        self.steps = steps
        self._epoch, self._done = 0, 0
        self._epoch_s = self._began_s = self._updated_s = 0.0
        self._from: int | None = None  # steps of the whole run, when this process began
        self._line = ""
        self._handle: Any = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        self._epoch_s = time.perf_counter()
        self.show_steps(0)

    def show_steps(self, steps: int) -> None:
        """Move the bar to so many steps of the epoch."""
        now_s = time.perf_counter()
        self._done = self._epoch * (self.steps or 0) + steps
        if self._from is None:
            self._from, self._began_s = self._done, now_s
        if now_s - self._updated_s > _SHOWN_S:
            self._show(f"epoch {self._epoch + 1}/{self.epochs}{self._left(now_s, steps)}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        seconds = time.perf_counter() - self._epoch_s
        self._line = epoch_line(epoch, self.epochs, logs or {}, seconds)
        self._done = (epoch + 1) * (self.steps or 0)
        self._show("")

    def say(self, text: str) -> None:
        """Print a line of its own, which stays."""
        print(text)

    def close(self) -> None:
        """Leave what was last: the metrics, or how far an interrupted run has come."""
        if self._handle is not None:
            self._show("")

    def _left(self, now_s: float, steps: int) -> str:
        if self.steps is None:
            return f", {steps:,} steps"
        taken, to_come = self._done - (self._from or 0), self.epochs * self.steps - self._done
        return f", {(now_s - self._began_s) / taken * to_come:.0f} s left" if taken else ""

    def _show(self, label: str) -> None:
        from IPython.display import HTML, display

        self._updated_s = time.perf_counter()
        total = self.epochs * (self.steps or 1)
        done = self._epoch if self.steps is None else self._done
        bar = f'<progress max="{total}" value="{done}" style="width: 20em"></progress> {escape(label)}'
        shown = HTML(f"<div>{bar}<br>{escape(self._line)}</div>")
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)

"""Stopping trials early that do worse than the others did."""

from __future__ import annotations

import os
import signal
import statistics
import threading
from collections.abc import Sequence
from pathlib import Path

from kexp.metrics.direction import Direction
from kexp.run.metrics_file import read_epochs
from kexp.sweep.metadata import TARGET, Target
from kexp.sweep.state import Metrics, Trial
from kexp.sweep.store import Store

_LEAST = 5  # completed trials to compare with
_POLL_S = 0.2


def below_median(value: float, others: Sequence[float], mode: Direction) -> bool:
    """Return whether a value is worse than the median of the others, of which there must be five.

    Source:
        Golovin et al. 2017, "Google Vizier", section 3.2.2, with the metric at the same epoch.

    Example:
        >>> below_median(0.5, [0.6, 0.7, 0.8, 0.9, 1.0], "max"), below_median(0.5, [0.6], "max")
        (True, False)
    """
    if len(others) < _LEAST:
        return False
    median = statistics.median(others)
    return value < median if mode == "max" else value > median


class Pruner(threading.Thread):
    """Watches the epochs of the trial that this process runs, and asks it to stop when it is behind.

    Args:
        directory: The sweep folder.
        trial: The trial.
        folder: Its run folder.

    Attributes:
        reason: Why it was stopped, or None.
        metrics: Those of its last epoch.
    """

    def __init__(self, directory: Path, trial: Trial, folder: Path) -> None:
        super().__init__(daemon=True)
        self.reason: str | None = None
        self.metrics: Metrics = {}
        self._directory = directory
        self._trial = trial
        self._folder = folder
        self._over = threading.Event()

    def run(self) -> None:
        store, seen = Store(self._directory), 0
        target = store.read(TARGET) or Target(None, "max")
        while not self._over.wait(_POLL_S):
            epochs = read_epochs(self._folder)
            for self.metrics in epochs[seen:]:
                epoch, value = int(self.metrics["epoch"]), self.metrics.get(target.name or "")
                lease = self._trial.number, self._trial.token
                if value is None or not store.add_epoch_metric(*lease, epoch, value):
                    continue
                others = store.epoch_metrics(epoch)
                if below_median(value, others, target.mode) and not self._over.is_set():
                    self.reason = f"{target.name} {value:.4g} is worse than the median at epoch {epoch}."
                    os.kill(os.getpid(), signal.SIGTERM)  # which saves the state first
                    return
            seen = max(seen, len(epochs))

    def stop(self) -> None:
        """Let the trial come to its end by itself."""
        self._over.set()

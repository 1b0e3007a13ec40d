"""The events of a run, of which all its trackers are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kexp.run.metrics_file import MetricsFile
from kexp.trackers.base import Tracker, Trackers


class RunEvents:
    """Tells the trackers of a run that it has started, of each epoch, and how it ends.

    Args:
        run_dir: Its folder.
        config: Its recipe and arguments.
        trackers: Those beside metrics.jsonl; None: nobody is told, as by a worker that is not the chief.
    """

    def __init__(self, run_dir: Path, config: dict[str, Any], trackers: Trackers | None) -> None:
        self._run_dir = run_dir
        self._config = config
        self._trackers: tuple[Tracker, ...] = () if trackers is None else (MetricsFile(), *trackers)

    def started(self, history: list[dict[str, float]]) -> None:
        """Tell that the run begins, goes on or goes back, with the metrics of the epochs so far."""
        for tracker in self._trackers:
            tracker.started(self._run_dir, self._config, history)

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        """Tell the metrics of an epoch, counted from 1."""
        for tracker in self._trackers:
            tracker.epoch(number, metrics)

    def finished(self, metrics: dict[str, float]) -> None:
        """Tell the final metrics."""
        for tracker in self._trackers:
            tracker.finished(metrics)

    @contextmanager
    def failure(self) -> Iterator[None]:
        """Tell of what ends the run inside the block before its end."""
        try:
            yield
        except BaseException as error:
            for tracker in self._trackers:
                tracker.failed(error)
            raise

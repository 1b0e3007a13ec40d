"""What follows a run while it trains: a file, a dashboard, a service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol


class Tracker(Protocol):
    """Is told of a run as it goes, in the process of the chief alone.

    What it writes into the run folder is its own: the files there that are the run's have checksums.
    """

    def started(self, run_dir: Path, config: dict[str, Any], history: list[dict[str, float]]) -> None:
        """Take note that a run begins, goes on from a checkpoint, or goes back to one.

        Args:
            run_dir: Its folder.
            config: Its recipe and arguments.
            history: Metrics of the epochs so far; those of a later epoch are void.
        """
        ...

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        """Take note of the metrics of an epoch, counted from 1."""
        ...

    def finished(self, metrics: dict[str, float]) -> None:
        """Take note of the final metrics; the run is recorded."""
        ...

    def failed(self, error: BaseException) -> None:
        """Take note that the run ends before its end: by an error, or by a signal."""
        ...


Trackers = Sequence[Tracker]

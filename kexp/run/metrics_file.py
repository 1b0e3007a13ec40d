"""metrics.jsonl, the tracker that every run has: a line of metrics for each epoch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class MetricsFile:
    """Keeps metrics.jsonl of the run folder at the epochs that the run stands at."""

    def __init__(self) -> None:
        self._path = Path("metrics.jsonl")

    def started(self, run_dir: Path, config: dict[str, Any], history: list[dict[str, float]]) -> None:
        """Make the file hold exactly these epochs, as a continued run needs it."""
        self._path = run_dir / "metrics.jsonl"
        self._path.unlink(missing_ok=True)
        for number, metrics in enumerate(history):
            self.epoch(number + 1, metrics)

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        """Add the line of an epoch, counted from 1."""
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": number, **metrics}) + "\n")

    def finished(self, metrics: dict[str, float]) -> None:
        """Add nothing: the final metrics are in result.json."""

    def failed(self, error: BaseException) -> None:
        """Add nothing: the file ends where the run has ended."""

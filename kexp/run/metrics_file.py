"""metrics.jsonl, the tracker that every run has: a line of metrics for each epoch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from kexp.core.foreign_files import reading
from kexp.core.json_files import parse_json, require_keys
from kexp.run.run_files import ADVICE, METRICS
from kexp.trackers.base import TrackedRun


class MetricsFile:
    """Keeps metrics.jsonl of the run folder at the epochs that the run stands at."""

    name = METRICS

    def __init__(self) -> None:
        self._path = Path(METRICS)

    def started(self, run: TrackedRun, history: list[dict[str, float]]) -> None:
        """Make the file hold exactly these epochs, as a continued run needs it."""
        self._path = run.run_dir / METRICS
        self._path.unlink(missing_ok=True)
        for number, metrics in run.numbered(history):
            self.epoch(number, metrics)

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        """Add the line of an epoch, counted from 1."""
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": number, **metrics}) + "\n")

    def finished(self, metrics: dict[str, float]) -> None:
        """Add nothing: the final metrics are in result.json."""

    def failed(self, error: BaseException) -> None:
        """Add nothing: the file ends where the run has ended."""


def read_epochs(run_dir: Path) -> list[dict[str, float]]:
    """Return the metrics of each epoch, "epoch" among them, of a run that may be under way or have failed.

    Raises:
        InputError: metrics.jsonl is damaged; a last line that is only half written is none yet.

    Example:
        >>> read_epochs(Path("no/such/run"))
        []
    """
    path = run_dir / METRICS
    if not path.exists():
        return []
    return list(epoch_lines(path, "metrics of epochs"))


def epoch_lines(path: Path, what: str) -> Iterator[dict[str, float]]:
    """Yield the numbers of each epoch that a file has a line of, "epoch" among them.

    Args:
        path: The file.
        what: It holds, for messages.

    Raises:
        InputError: It is damaged; a last line that is only half written is none yet.
    """
    with reading(path, what, ADVICE):
        content = path.read_bytes()
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        place = f"file {path}, line {number}"
        numbers = parse_json(line, place, {"epoch": int}, advice=ADVICE)
        require_keys(numbers, place, dict.fromkeys(numbers, float), advice=ADVICE)
        yield numbers

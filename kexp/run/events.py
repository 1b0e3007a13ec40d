"""The events of a run, of which all its trackers are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from kexp.run.metrics_file import MetricsFile
from kexp.trackers.base import TrackedRun, Tracker, Trackers, takes_note


class RunEvents:
    """Tells the trackers of a run that it has started, of each epoch, and how it ends.

    Args:
        run: Its folder, recipe and arguments.
        trackers: Those beside the files; None: nobody is told, as by a worker that is not the chief. One that
            fails is told of no more.
        files: Those of the run folder, beside metrics.jsonl.
    """

    def __init__(self, run: TrackedRun, trackers: Trackers | None, files: Sequence[Tracker] = ()) -> None:
        self._run = run
        # Without which there is no record, so that what they raise ends the run.
        self._files = () if trackers is None else (MetricsFile(), *files)
        self._trackers = list(trackers or ())

    def started(self, history: list[dict[str, float]], first: int = 0) -> None:
        """Tell that the run begins, goes on or goes back, with the metrics of the epochs so far.

        Args:
            history: Of the epochs that it has trained.
            first: How many came before them, default none.
        """
        self._run = replace(self._run, first=first)
        self._tell(lambda tracker: tracker.started(self._run, [dict(metrics) for metrics in history]))

    def epoch(self, number: int, metrics: dict[str, float]) -> None:
        """Tell the metrics of an epoch, counted from 1."""
        self._tell(lambda tracker: tracker.epoch(number, dict(metrics)))

    def finished(self, metrics: dict[str, float]) -> None:
        """Tell the final metrics."""
        self._tell(lambda tracker: tracker.finished(dict(metrics)))

    @contextmanager
    def failure(self) -> Iterator[None]:
        """Tell of what ends the run inside the block before its end."""
        try:
            yield
        except BaseException as ended:
            error = ended  # which Python forgets
            self._tell(lambda tracker: tracker.failed(error))
            raise

    def _tell(self, event: Callable[[Tracker], None]) -> None:
        for file in self._files:
            event(file)
        self._trackers = [one for one in self._trackers if takes_note(one.name, lambda: event(one))]  # noqa: B023

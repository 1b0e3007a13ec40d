"""The pace of a run: how many steps a call takes, and what its workers agree on between two calls."""

from __future__ import annotations

from kexp.core.signals import STOPPING
from kexp.engine.base import Workers

_STEPS_PER_CALL = 100
_SECONDS_PER_CALL = 0.5  # longer calls would freeze the progress bar


class Pace:
    """Says how many steps a call may take, by how long the last one took.

    Args:
        workers: Those that train together.

    Attributes:
        steps: Of the next call.

    Example:
        >>> from kexp.engine.engine_choice import backend
        >>> pace = Pace(backend().workers())
        >>> pace.adapt(10, seconds=1.0)
        >>> pace.steps
        5
    """

    def __init__(self, workers: Workers) -> None:
        self.steps = 10
        self._workers = workers

    def adapt(self, count: int, seconds: float) -> None:
        """Take account of a call of so many steps."""
        if self.steps > 1:
            affordable = int(count * _SECONDS_PER_CALL / max(seconds, 1e-6))
            self.steps = min(_STEPS_PER_CALL, max(2, affordable))

    def agreed(self, *, is_due: bool, signal_number: int) -> tuple[bool, int]:
        """Return whether a checkpoint is due and which signal came, and let the chief pace the next call.

        By the clock of one, and by the signals of all: every worker must save, stop and go on alike.

        Args:
            is_due: Whether a checkpoint is due by this worker's clock.
            signal_number: Of the signal that came to this worker; 0: none.
        """
        if self._workers.count == 1:
            return is_due, signal_number
        broadcast = [int(is_due), self.steps] if self._workers.is_chief else [0, 0]
        stops = [int(signal_number == number) for number in STOPPING]
        dues, self.steps, *stopped = self._workers.all_reduce([*broadcast, *stops])
        came = [number for number, count in zip(STOPPING, stopped, strict=True) if count]
        return bool(dues), came[0] if came else 0

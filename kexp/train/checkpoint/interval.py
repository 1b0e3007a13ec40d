"""When a checkpoint is due."""

from __future__ import annotations

import sys
import time

from kexp.core.options import parse_interval


class CheckpointInterval:
    """Says when a checkpoint is due, from "10 steps", "1 epoch" or "5 minutes".

    Args:
        every: As the training option `checkpoint_every`.

    Example:
        >>> due = CheckpointInterval("10 steps")
        >>> due.steps_left(25), due.within_epoch(30)
        (5, True)
    """

    def __init__(self, every: str) -> None:
        self._amount, self._unit = parse_interval(every)
        self._saved_s = time.monotonic()

    def after_epoch(self, epoch: int) -> bool:
        """Return whether one is due after so many epochs."""
        return self._unit == "epochs" and epoch % self._amount == 0

    def within_epoch(self, steps_taken: int) -> bool:
        """Return whether one is due after so many steps since the run began."""
        if self._unit == "minutes" and time.monotonic() - self._saved_s >= 60 * self._amount:
            self._saved_s = time.monotonic()
            return True
        return self._unit == "steps" and steps_taken % self._amount == 0

    def steps_left(self, steps_taken: int) -> int:
        """Return how many steps may be taken before the next checkpoint by steps is due."""
        if self._unit != "steps":
            return sys.maxsize
        return int(self._amount - steps_taken % self._amount)

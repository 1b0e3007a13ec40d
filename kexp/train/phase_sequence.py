"""The sequence of phases of a training: which one its position is in, and where that ends."""

from __future__ import annotations

from collections.abc import Sequence

from kexp.core.options import TrainOptions
from kexp.train.phases import Phase, phase_options
from kexp.train.position import Position


class PhaseSequence:
    """Tells a loop of the phases of its training; a training without any has one that is all of it.

    Args:
        phases: In their order, or none.
        options: Complete training options.
        notes: What to show when each phase begins.
    """

    def __init__(self, phases: Sequence[Phase], options: TrainOptions, notes: Sequence[str] = ()) -> None:
        self._phases = tuple(phases)
        self._options = options
        self._notes = tuple(notes)

    def begin(self, position: Position, number: int) -> str | None:
        """Have a position stand at the beginning of a phase, and return what to show of that."""
        if not self._phases:
            return None
        position.phases = [*(position.phases or ())[:number], position.epoch]
        position.waited_epochs = 0
        return self._notes[number] if self._notes else None

    def ends(self, position: Position) -> bool:
        """Return whether the phase of a position is over."""
        if position.phases is None:
            epochs_left = self._options["epochs"] - position.epoch
        else:
            epochs_left = self._phases[position.phase].epochs - (position.epoch - position.phases[-1])
        return epochs_left <= 0 or self.stops_early(position)

    def stops_early(self, position: Position) -> bool:
        """Return whether the phase of a position has gone on for too long without a better epoch."""
        options = self._options
        if position.phases is not None:
            options = phase_options(self._phases[position.phase], options)
        return bool(options["early_stop"]) and position.waited_epochs >= options["early_stop"]

    def is_last(self, position: Position) -> bool:
        """Return whether no phase comes after that of a position."""
        return position.phase >= len(self._phases) - 1

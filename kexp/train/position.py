"""The position of a run: where its loop stands, as a checkpoint records it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_type_hints

from kexp.core.constraints import AtLeast, RecordedCount
from kexp.core.errors import InputError
from kexp.core.json_files import require_keys


@dataclass
class Position:
    """Where a run stands; with the engine's variables, all that is needed to go on from there."""

    # Samples per forward pass, which may have shrunk since the run began.
    batch_size: Annotated[int, AtLeast(1)]
    epoch: RecordedCount = 0
    step: RecordedCount = 0  # in the epoch
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: RecordedCount | None = None
    best_value: list[float] | None = None  # compared in order, higher is better
    waited_epochs: RecordedCount = 0
    finished: bool = False
    skipped: list[RecordedCount] = field(default_factory=list)  # steps since the run began that went wrong
    rollbacks: RecordedCount = 0
    first: RecordedCount | None = None  # the epoch that the run began with, if not 0
    steps_before: RecordedCount | None = None  # of earlier epochs, where the plan does not know
    phases: list[RecordedCount] | None = None  # the first epoch of each that has begun; None: there are none

    @property
    def phase(self) -> int:
        """The number of the phase, from 0."""
        return len(self.phases or (0,)) - 1

    @classmethod
    def from_json(cls, content: Mapping[str, Any], place: str, advice: str) -> Position:
        """Return the position that a checkpoint holds.

        Args:
            content: Plain values of its fields.
            place: Where it is from, for the message.
            advice: What to do about damage.

        Raises:
            InputError: A field is missing or holds something else, or they contradict each other.
        """
        kinds = get_type_hints(cls, include_extras=True)
        require_keys(content, f"{place}: position", kinds, advice=advice)
        values: dict[str, Any] = {name: content.get(name) for name in kinds}
        position = cls(**values)
        chosen = position.best_epoch is not None
        epochs = position.epoch - (position.first or 0)
        if len(position.history) != epochs or (position.best_epoch or 0) > epochs:
            raise InputError(
                f"{place}: position has metrics of {len(position.history)} epochs, and is to be after "
                f"{epochs}; {advice}."
            )
        if chosen != (position.best_value is not None):
            raise InputError(
                f"{place}: position has a best epoch or a best value without the other; {advice}."
            )
        always = {name for metrics in position.history[:1] for name in metrics if not name.startswith("val_")}
        if any(not always <= metrics.keys() for metrics in position.history):
            raise InputError(f"{place}: position has metrics that not all of its epochs have; {advice}.")
        return position

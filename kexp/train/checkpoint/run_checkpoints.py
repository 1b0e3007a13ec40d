"""The checkpoints of a run: the newest that is whole, and the next one, of all that a run goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from kexp.engine.base import Engine
from kexp.train.checkpoint.callback_state import read_states
from kexp.train.checkpoint.checkpoint import (
    Checkpoint,
    CheckpointMismatch,
    load_latest,
    packed,
    save_checkpoint,
    unpacked,
)
from kexp.train.checkpoint.checkpoint_checks import BEST, check_checkpoint
from kexp.train.position import Position


class RunCheckpoints:
    """Reads and writes the checkpoints of a run, which the chief of its workers has.

    A thread writes what the state was when it was asked to, while training goes on.

    Args:
        folder: Where they are, or a path with a scheme.
        engine: Whose state they hold.
        callbacks: Whose state they hold too.
    """

    def __init__(
        self, folder: Path | str, engine: Engine, callbacks: Sequence[keras.callbacks.Callback]
    ) -> None:
        self._folder = folder
        self._engine = engine
        self._callbacks = callbacks
        self._writer = ThreadPoolExecutor(1, "checkpoints")
        self._writing: Future[None] | None = None

    def latest(self) -> Checkpoint | None:
        """Return the newest checkpoint, which the chief reads for all workers.

        Raises:
            InputError: It is not of this model and optimizer.
            OSError: As of `settle`.
        """
        self.settle()
        workers = self._engine.workers
        checkpoint = load_latest(self._folder, self._check) if workers.is_chief else None
        if workers.count == 1:
            return checkpoint
        content = workers.broadcast(b"" if checkpoint is None else packed(checkpoint))
        return unpacked(content) if content else None

    def save(self, position: Position, steps_taken: int, best_weights: Sequence[np.ndarray]) -> None:
        """Begin to write a checkpoint, if this is the chief, once the one before is whole.

        Raises:
            OSError: The one before could not be written.
        """
        if not self._engine.workers.is_chief:
            return
        best = {f"{BEST}{number}": array for number, array in enumerate(best_weights)}
        states, state_arrays = read_states(self._callbacks)
        state, plain = self._engine.snapshot(), asdict(position)

        def write() -> None:
            checkpoint = Checkpoint({**state(), **best, **state_arrays}, plain, states)
            save_checkpoint(self._folder, steps_taken, checkpoint)

        self.settle()
        self._writing = self._writer.submit(write)

    def settle(self) -> None:
        """Wait until the last checkpoint is whole.

        Raises:
            OSError: It could not be written.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _check(self, checkpoint: Checkpoint, place: str) -> None:
        engine = self._engine

        def state(phase: int) -> dict[str, np.ndarray]:
            if phase >= engine.phases:
                raise CheckpointMismatch(f"{place}: is of phase {phase + 1}, and there are {engine.phases}.")
            engine.begin_phase(phase)  # whose optimizers have slots of their own
            return engine.read_state()

        check_checkpoint(checkpoint, place, state, engine.model.get_weights())

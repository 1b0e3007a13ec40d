"""Whether a checkpoint is of the model, the optimizers and the callbacks that are to go on from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kexp.core.errors import InputError
from kexp.engine.base import ITERATOR_STATE, NORM_STATE, STREAM_STATE
from kexp.train.checkpoint.callback_state import missing_arrays
from kexp.train.checkpoint.checkpoint import Checkpoint, CheckpointMismatch
from kexp.train.position import Position

BEST = "best/"  # before the numbers of the best weights
_DAMAGED = "it is damaged"
_ADVICE = "repeat the call that the run was begun with, or give another run_dir"


def check_checkpoint(
    checkpoint: Checkpoint,
    place: str,
    state: Callable[[int], Mapping[str, np.ndarray]],
    weights: Sequence[np.ndarray],
) -> None:
    """Refuse a checkpoint that a run cannot go on from.

    Args:
        checkpoint: What was read.
        place: Where it is from, for the message.
        state: Gives what the engine saves in a phase, by its number, of which the shapes and types count;
            raises CheckpointMismatch where there is none of that number.
        weights: Of the model, likewise.

    Raises:
        CheckpointMismatch: It is of another model or optimizer.
        InputError: It is damaged inside.

    Example:
        >>> saved = Checkpoint({"model/0": np.zeros(3)}, vars(Position(8)), {})
        >>> state = {"model/0": np.zeros(4)}
        >>> check_checkpoint(saved, "file step-000000010.npz", lambda phase: state, [])
        Traceback (most recent call last):
        ...
        kexp.train.checkpoint.checkpoint.CheckpointMismatch: file step-000000010.npz: is of another model or
        optimizer: model/0 is float64 (3,) there and float64 (4,) here; repeat the call ...
    """
    position = Position.from_json(checkpoint.position, place, _DAMAGED)
    missing = missing_arrays(checkpoint.callbacks, checkpoint.arrays)
    if missing:
        raise InputError(f"{place}: lacks the array {missing[0]} of a callback; {_DAMAGED}.")
    expected = {**state(position.phase), **({} if position.best_epoch is None else dict(_named(weights)))}
    difference = _difference(checkpoint.arrays, expected)
    if difference is not None:
        raise CheckpointMismatch(f"{place}: is of another model or optimizer: {difference}; {_ADVICE}.")


def _difference(saved: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> str | None:
    """Return in words the first array that is not as expected, or None."""
    for name, own in expected.items():
        if name not in saved and name.startswith(NORM_STATE):
            continue  # it is of an earlier version
        if name not in saved:
            return f"it has no {name}"
        if not _alike(saved[name], own, any_length=name.startswith(STREAM_STATE)):
            return f"{name} is {_described(saved[name])} there and {_described(own)} here"
    free = ("callback/", ITERATOR_STATE)
    others = [name for name in saved if name not in expected and not name.startswith(free)]
    return f"nothing here has a {others[0]}" if others else None


def best_weights(arrays: Mapping[str, np.ndarray]) -> list[np.ndarray] | None:
    """Return the best weights of a checkpoint in their order, or None when it has none."""
    count = sum(name.startswith(BEST) for name in arrays)
    return [arrays[f"{BEST}{number}"] for number in range(count) if f"{BEST}{number}" in arrays] or None


def _named(weights: Sequence[np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return [(f"{BEST}{number}", weight) for number, weight in enumerate(weights)]


def _alike(saved: np.ndarray, own: np.ndarray, *, any_length: bool) -> bool:
    # NumPy's file format knows bfloat16 only as two raw bytes.
    same_type = saved.dtype == own.dtype or (
        saved.dtype.kind == "V" and saved.dtype.itemsize == own.dtype.itemsize
    )
    return same_type and (saved.ndim == own.ndim if any_length else saved.shape == own.shape)


def _described(array: np.ndarray) -> str:
    return f"{array.dtype} {array.shape}"

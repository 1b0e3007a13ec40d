"""What gives the training step its samples: arrays on the device, or a stream that goes on and on."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from kexp.data import Split


class Feed(Protocol):
    """Gives the samples of a batch, inside the compiled step."""

    def __call__(self, rows: tf.Tensor) -> tuple[Any, Any, Any]:
        """Return inputs, targets and weights (None: all alike) of the (batch,) positions `rows`."""
        ...

    def first(self) -> tuple[Any, tf.Tensor]:
        """Return inputs and targets of one sample, without moving on."""
        ...

    def read_state(self) -> dict[str, np.ndarray]:
        """Return what has to be saved to go on from here."""
        ...

    def restore_state(self, state: dict[str, np.ndarray]) -> None:
        """Go back to where `read_state` was called."""
        ...

    def not_finite(self, rows: np.ndarray) -> list[int]:
        """Return those of the (batch,) positions whose inputs or targets hold NaN or infinity."""
        ...


class ArrayFeed:
    """Gathers samples by index from arrays that stay on the device, so that it has no state at all.

    Args:
        split: The training data.
        sample_weight: (samples,) weights of the loss, or None.
    """

    def __init__(self, split: Split, sample_weight: np.ndarray | None = None) -> None:
        self._split = split
        self._arrays = on_device(split)
        self._weights = None if sample_weight is None else tf.constant(sample_weight, tf.float32)

    def __call__(self, rows: tf.Tensor) -> tuple[Any, Any, Any]:
        inputs, targets = tf.nest.map_structure(partial(tf.gather, indices=rows), self._arrays)
        return inputs, targets, None if self._weights is None else tf.gather(self._weights, rows)

    def first(self) -> tuple[Any, tf.Tensor]:
        return tf.nest.map_structure(lambda array: array[:1], self._arrays)

    def read_state(self) -> dict[str, np.ndarray]:
        return {}

    def restore_state(self, state: dict[str, np.ndarray]) -> None: ...

    def not_finite(self, rows: np.ndarray) -> list[int]:
        """Return those of the (batch,) positions whose inputs or targets hold NaN or infinity."""
        inputs = self._split.inputs
        columns = [inputs] if isinstance(inputs, np.ndarray) else list(inputs.values())
        numbers = [array[rows] for array in (*columns, self._split.targets) if array.dtype.kind == "f"]
        bad = np.zeros(len(rows), bool)
        for array in numbers:
            bad |= ~np.isfinite(array.reshape(len(rows), -1)).all(axis=1)
        return [int(row) for row in rows[bad]]


def on_device(split: Split) -> tuple[Any, tf.Tensor]:
    """Return inputs and targets as tensors."""
    if isinstance(split.inputs, np.ndarray):
        return tf.constant(split.inputs), tf.constant(split.targets)
    return {name: tf.constant(column) for name, column in split.inputs.items()}, tf.constant(split.targets)

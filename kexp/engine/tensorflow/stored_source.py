"""Samples on the disk in the training step: read by index, ahead of the step that takes them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from kexp.data import Split
from kexp.data.read_ahead import ReadAhead, read_rows
from kexp.engine.tensorflow.input_pipeline import ArrayBatchSource, gathered
from kexp.engine.tensorflow.length_buckets import plain

_AHEAD_BYTES = 1 << 26  # of batches that are read before their step, of which there are some in any case
_FEWEST_AHEAD = 2
_MOST_AHEAD = 8


class StoredBatchSource(ArrayBatchSource):
    """Reads the inputs of samples by index from the disk; targets and weights stay on the device.

    The order is that of samples in memory, and a source of them has no state either: a step follows from its
    positions alone. Threads read the batches of a call ahead, since what a pipeline of tf.data would save in
    a checkpoint, the place in an order, is known already.

    Args:
        split: The training data, with inputs that are stored.
        sample_weight: (samples,) weights of the loss, or None.
    """

    on_host = True

    def __init__(self, split: Split, sample_weight: np.ndarray | None = None) -> None:
        super().__init__(split, sample_weight)
        self._inputs = plain(split.inputs)
        self._stored: list[Any] = tf.nest.flatten(self._inputs)
        self._ahead = ReadAhead(partial(read_rows, self._stored))

    def begin(self, rows: np.ndarray, batch_size: int) -> None:
        """Read the batches of the next steps ahead."""
        places = range(0, rows.shape[1], batch_size)
        batch_bytes = (
            sum(one.nbytes for one in self._stored) * min(batch_size, rows.shape[1]) // len(self._stored[0])
        )
        self._ahead.plan(
            (row[first : first + batch_size] for row in rows for first in places),
            min(max(_AHEAD_BYTES // max(1, batch_bytes), _FEWEST_AHEAD), _MOST_AHEAD),
        )

    def __call__(self, rows: tf.Tensor) -> tuple[Any, Any, Any]:
        types = [tf.string if one.dtype == object else tf.as_dtype(one.dtype) for one in self._stored]
        # TensorFlow orders some sums by the names of operations, so that the last bits follow from these: the
        # others keep the names that they have for samples in memory, of which the inputs are gathered too.
        with tf.name_scope("read"):
            found = tf.numpy_function(self._ahead, [rows], types)
            places = tf.range(tf.shape(rows)[0])
        for tensor, one in zip(found, self._stored, strict=True):
            tensor.set_shape([rows.shape[0], *one.shape[1:]])
        inputs = gathered(tf.nest.pack_sequence_as(self._inputs, found), places)
        _, targets, weights = super().__call__(rows)
        return inputs, targets, weights

    def close(self) -> None:
        """Read no more."""
        self._ahead.close()

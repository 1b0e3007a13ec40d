"""What gives the training step its samples: arrays on the device, or a stream that goes on and on."""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from kexp.core.errors import InputError
from kexp.core.types import Nest
from kexp.data import Split, Stream
from kexp.data.series import complete
from kexp.data.stored_arrays import is_stored
from kexp.engine.base import STREAM_STATE, BatchSource
from kexp.engine.tensorflow.iterator_place import IteratorPlace
from kexp.engine.tensorflow.length_buckets import Buckets, plain


class Batches(Protocol):
    """What the compiled step gets its samples from, as it knows it.

    Attributes:
        feeds: Whether batches come as they are, rather than by the positions of samples.
    """

    feeds: bool

    def __call__(self, rows: tf.Tensor) -> tuple[Any, Any, Any]:
        """Return inputs, targets and weights (None: all alike) of the (batch,) positions `rows`."""
        ...


class TensorSource(BatchSource, Protocol):
    """A batch source that gives its samples inside the compiled step.

    Attributes:
        feeds: Whether batches come as they are, rather than by the positions of samples.
        on_host: Whether the host makes batches during the step, which XLA cannot compile.
    """

    feeds: bool = False
    on_host: bool = False

    def __call__(self, rows: tf.Tensor) -> tuple[Any, Any, Any]:
        """Return inputs, targets and weights (None: all alike) of the (batch,) positions `rows`."""
        ...

    def first(self) -> tuple[Any, tf.Tensor]:
        """Return inputs and targets of one sample, without moving on."""
        ...

    def first_weight(self) -> Any:
        """Return the weight of that sample; None: all are alike."""
        return None

    def begin(self, rows: np.ndarray, batch_size: int) -> None:
        """Begin to read, where that must not happen inside a compiled function.

        Args:
            rows: (steps, samples) positions that the next steps take.
            batch_size: Samples per forward pass.
        """
        return

    def close(self) -> None:
        """Read no more."""
        return


class ArrayBatchSource(TensorSource):
    """Gathers samples by index from arrays that stay on the device, so that it has no state at all.

    Args:
        split: The training data.
        sample_weight: (samples,) weights of the loss, or None.
        buckets: Lengths of padded samples, or None.
    """

    def __init__(
        self, split: Split, sample_weight: np.ndarray | None = None, buckets: Buckets | None = None
    ) -> None:
        self._split = split
        self._buckets = buckets
        self._cut = None if buckets is None else buckets.cutter()
        weights = split.sample_weight if sample_weight is None else sample_weight
        self._weights = weights_on_device(weights)

    @cached_property
    def _arrays(self) -> tuple[Any, tf.Tensor]:
        # At the first step, which may be traced: who takes its samples elsewhere needs no copy.
        with tf.init_scope():
            return on_device(self._split)

    @property
    def trims_padding(self) -> bool:
        """Whether batches are cut to the length of their samples."""
        return self._cut is not None

    def order(self, order: np.ndarray, batch_size: int, *seed: int) -> np.ndarray:
        """Return the order of an epoch, where lengths differ with samples of like length side by side."""
        return order if self._buckets is None else self._buckets.order(order, batch_size, *seed)

    def __call__(self, rows: tf.Tensor) -> tuple[Any, Any, Any]:
        inputs, targets = gathered(self._arrays[0], rows), gathered(self._arrays[1], rows)
        if self._cut is not None:
            inputs, targets = self._cut(inputs, targets, rows)
        return inputs, targets, gathered(self._weights, rows)

    def first(self) -> tuple[Any, tf.Tensor]:
        """Return inputs and targets of the first samples."""
        return first_of(self._split)

    def first_weight(self) -> Any:
        """Return the weight of the first sample, if there are any."""
        return gathered(self._weights, tf.constant([0]))

    def skip(self, samples: int) -> None:
        """Pass over samples that were seen before a restart."""
        # An order by index has no place that would have to move on.

    def read_state(self) -> dict[str, np.ndarray]:
        """Return what a checkpoint holds of the source: of arrays, nothing."""
        return {}

    def restore_state(self, state: dict[str, np.ndarray]) -> bool:
        """Take in what `read_state` returned."""
        return False

    def not_finite(self, rows: np.ndarray) -> list[int]:
        """Return those of the (batch,) positions whose inputs or targets hold NaN or infinity."""
        inputs = self._split.inputs
        arrays = tf.nest.flatten((plain(inputs), plain(self._split.targets)))
        numbers = [array[rows] for array in arrays if array.dtype.kind == "f"]
        bad = np.zeros(len(rows), bool)
        for array in numbers:
            bad |= ~complete(array)
        return [int(row) for row in rows[bad]]


class StreamBatchSource(TensorSource):
    """Takes batches from a tf.data.Dataset, whose iterator's own state goes into the checkpoint.

    Args:
        stream: The training data.
        batch_size: Samples per forward pass.

    Raises:
        InputError: The state of the dataset cannot be saved.
    """

    def __init__(self, stream: Stream, batch_size: int) -> None:
        self._stream = stream
        self._batch_size = batch_size
        batches = stream.dataset.repeat().batch(batch_size, drop_remainder=True).prefetch(2)
        self._iterator = iter(batches)
        self._place = IteratorPlace(self._iterator, STREAM_STATE, "stream")
        try:
            self._place.read()
        except tf.errors.OpError as error:
            raise InputError(
                "dataset must have a place that can be saved: leave out from_generator and py_function, and "
                "draw with tf.random.stateless_uniform by the numbers of tf.data.Dataset.random; "
                f"TensorFlow says {error.message.partition('[Op')[0].rpartition('}}')[2].strip()!r}."
            ) from error

    def order(self, order: np.ndarray, batch_size: int, *seed: int) -> np.ndarray:
        """Return the order as it is: a stream has one of its own."""
        return order

    def __call__(self, rows: tf.Tensor) -> tuple[Any, Any, Any]:
        inputs, targets = next(self._iterator)
        return inputs, targets, None

    def first(self) -> tuple[Any, tf.Tensor]:
        """Return inputs and targets of the first samples."""
        return first_of(self._stream)

    def skip(self, samples: int) -> None:
        """Read and drop samples that were seen before a restart."""
        for _ in range(samples // self._batch_size):
            next(self._iterator)

    def read_state(self) -> dict[str, np.ndarray]:
        """Return where the stream is, shuffle buffers included."""
        return self._place.read()

    def restore_state(self, state: dict[str, np.ndarray]) -> bool:
        """Go on from where `read_state` found the stream."""
        self._place.restore(state)
        return False

    def not_finite(self, rows: np.ndarray) -> list[int]:
        return []  # they are gone


def on_device(split: Split) -> tuple[Any, tf.Tensor]:
    """Return inputs and targets as tensors; inputs on the disk are left there, None."""
    inputs = None if is_stored(split.inputs) else plain(split.inputs)
    return tf.nest.map_structure(_constant, (inputs, plain(split.targets)))


def _constant(array: np.ndarray | None) -> Any:
    return None if array is None else tf.constant(array)


def first_of(split: Split) -> tuple[Any, tf.Tensor]:
    """Return inputs and targets of the first sample, (1, ...) each."""
    arrays = (plain(split.inputs), plain(split.targets))
    return tf.nest.map_structure(lambda array: tf.constant(array[:1]), arrays)


def weights_on_device(weights: Nest) -> Any:
    """Return weights of samples as tensors, by output where they are; None stays."""
    if weights is None:
        return None
    return tf.nest.map_structure(lambda array: tf.constant(array, tf.float32), plain(weights))


def gathered(weights: Nest, rows: tf.Tensor) -> Any:
    """Return the weights of the (batch,) positions `rows`; None stays."""
    return None if weights is None else tf.nest.map_structure(partial(tf.gather, indices=rows), weights)


def count_of(arrays: Nest) -> tf.Tensor:
    """Return how many samples tensors have, which may be a nest of them."""
    return tf.shape(tf.nest.flatten(arrays)[0])[0]

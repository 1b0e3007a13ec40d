"""The batches of a feed in the training step: where they are read from, and how a run goes on in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf

from kexp.data.batch_feed import ARRAYS, Conversion, FedSplit
from kexp.data.feed_kinds import TfDataFeed
from kexp.data.given_arrays import is_sparse
from kexp.engine.base import ITERATOR_STATE, STREAM_STATE
from kexp.engine.tensorflow.input_pipeline import (
    TensorSource,
    count_of,
    first_of,
    gathered,
    weights_on_device,
)
from kexp.engine.tensorflow.iterator_place import IteratorPlace

_CONSUMED = f"{STREAM_STATE}consumed"
_AT_END = f"{STREAM_STATE}at_end"
_MOST_HELD = 1_000_000  # batches of one call, which are far fewer
_AHEAD = 2  # batches that are made while a step is taken


class FeedBatchSource(TensorSource):
    """Takes the batches of a feed as they come.

    A run goes on by the state of a dataset's own iterator where that can be saved, else by reading up to the
    same place.

    Args:
        split: The training data.
        steps_before: Steps of the epochs before the first one of the run.
    """

    feeds = True

    def __init__(self, split: FedSplit, steps_before: int = 0) -> None:
        self._split = split
        self._steps_before = steps_before
        self._consumed = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._iterator: Any = None
        self._place: IteratorPlace | None = None
        self._can_save: bool | None = None
        self._ended = False

    def order(self, order: np.ndarray, batch_size: int, *seed: int) -> np.ndarray:
        """Return the order as it is: a feed has one of its own."""
        return order

    def __call__(self, rows: tf.Tensor) -> tuple[Any, Any, Any]:
        batch = self._next()
        self._consumed.assign_add(1)
        inputs, targets, *weights = batch
        return inputs, targets, weights[0] if weights else None

    def begin(self, rows: np.ndarray, batch_size: int) -> None:
        """Begin to read, unless a place was restored, outside of a compiled function."""
        self._begin()

    def _begin(self) -> None:
        if self._iterator is None:
            self._open(0)

    def close(self) -> None:
        """Read no more, and take what was made ahead, which TensorFlow would want after Python has gone."""
        self._ended = True
        if isinstance(self._split.feed, TfDataFeed) or self._iterator is None:
            return
        with contextlib.suppress(tf.errors.OpError):  # of batches that nobody wanted
            for _ in self._iterator:
                pass

    def first(self) -> tuple[Any, Any]:
        """Return inputs and targets of the first sample."""
        return first_of(self._split)

    def first_weight(self) -> Any:
        """Return the weight of the first sample, if there are any."""
        return gathered(weights_on_device(self._split.sample_weight), tf.constant([0]))

    def skip(self, samples: int) -> None:
        """Read and drop the batch of a step that is not taken."""
        self._begin()
        self(tf.constant([0]))

    def read_state(self) -> dict[str, np.ndarray]:
        """Return where the feed is: its iterator, or how many batches were read."""
        state = {_CONSUMED: np.array(self._consumed.numpy(), np.int64)[None]}
        return {**state, **self._place.read()} if self._place is not None and self._can_save else state

    def restore_state(self, state: dict[str, np.ndarray]) -> bool:
        """Go on from where `read_state` found the feed, and return whether its iterator is another one."""
        consumed = int(state[_CONSUMED][0])
        has_place = any(name.startswith(ITERATOR_STATE) for name in state)
        self._open(0 if has_place else consumed)
        if has_place:
            assert self._place is not None
            self._place.restore(state)
        self._consumed.assign(consumed)
        return True

    def not_finite(self, rows: np.ndarray) -> list[int]:
        return []  # they are gone

    def _next(self) -> Any:
        """Return inputs, targets and, if there are any, weights of the next batch, inside a compiled step."""
        return next(self._iterator)

    def _open(self, consumed: int) -> None:
        """Begin to read after so many batches."""
        feed = self._split.feed
        if isinstance(feed, TfDataFeed):
            batches = self._dataset(feed.dataset.map(_named_by(self._split)))
            self._iterator = iter(batches.skip(consumed).prefetch(_AHEAD))
            self._place = IteratorPlace(self._iterator, ITERATOR_STATE, "feed")
            if self._can_save is None:
                self._can_save = _can_be_saved(self._place)
            return
        described = self._described()
        made = tf.data.Dataset.from_generator(lambda: self._made(consumed), output_signature=described)
        self._iterator = iter(made.prefetch(_AHEAD))

    def _dataset(self, batches: Any) -> Any:
        """Return the dataset of one pass after the other."""
        return batches.repeat()

    def _described(self) -> Any:
        return described(self._split)

    def _made(self, consumed: int) -> Iterator[Any]:
        """Yield what the iterator gives, made in Python."""
        feed = self._split.feed
        number, first = divmod(self._steps_before + consumed, feed.count) if feed.count else (0, consumed)
        for batch, is_end in feed.all_batches(number, first):
            if self._ended:
                return
            if not is_end:
                yield self._named(batch)

    def _named(self, batch: Any) -> Any:
        inputs, targets, weights = self._split.named(batch, _KEPT)
        return (inputs, targets) if self._split.sample_weight is None else (inputs, targets, weights)


class OpenEndedSource(FeedBatchSource):
    """Takes the batches of a feed that ends where it ends.

    A compiled step cannot find out that there is no batch, so the batches of a call are taken out beforehand
    and stand in a queue. After each pass there is a mark, so that the place in the feed is one number.
    """

    def __init__(self, split: FedSplit) -> None:
        super().__init__(split)
        self._at_end = tf.Variable(False, trainable=False)
        self._queue: Any = None
        self._spec: Any = None

    def ready(self, steps: int, step: int) -> int:
        """Take batches out, and return how many there were before the end of the pass."""
        self._begin()
        if step == 0:
            self._at_end.assign(False)  # which the epoch before has come to
        taken = marks = 0
        while taken < steps and not self._at_end:
            element = next(self._iterator, None)
            if element is None:  # of what cannot be read again
                break
            batch, is_end = element
            if not is_end:
                self._queue.enqueue(tf.nest.flatten(batch, expand_composites=True))
                taken += 1
                continue
            self._consumed.assign_add(1)
            marks += 1
            # An epoch that begins exactly at the end of a pass begins the next pass.
            self._at_end.assign(step + taken > 0 or marks > 1)
        return taken

    def read_state(self) -> dict[str, np.ndarray]:
        """Return where the feed is, and whether that is the end of a pass."""
        return {**super().read_state(), _AT_END: np.array(self._at_end.numpy(), np.uint8)[None]}

    def restore_state(self, state: dict[str, np.ndarray]) -> bool:
        """Go on from where `read_state` found the feed."""
        self._at_end.assign(bool(state[_AT_END][0]))
        return super().restore_state(state)

    def _next(self) -> Any:
        parts = self._queue.dequeue()
        specs = tf.nest.flatten(self._spec, expand_composites=True)
        parts = parts if isinstance(parts, list) else [parts]
        for part, spec in zip(parts, specs, strict=True):
            part.set_shape(spec.shape)  # which a queue of batches of any size does not know
        return tf.nest.pack_sequence_as(self._spec, parts, expand_composites=True)

    def _open(self, consumed: int) -> None:
        super()._open(consumed)
        self._spec = self._iterator.element_spec[0]
        parts = tf.nest.flatten(self._spec, expand_composites=True)
        self._queue = tf.queue.FIFOQueue(_MOST_HELD, [part.dtype for part in parts])

    def _dataset(self, batches: Any) -> Any:
        mark = tf.data.Dataset.from_tensors((tf.nest.map_structure(_empty, batches.element_spec), True))
        return batches.map(lambda *batch: (batch, False)).concatenate(mark).repeat()

    def _described(self) -> Any:
        return super()._described(), tf.TensorSpec((), tf.bool)

    def _made(self, consumed: int) -> Iterator[Any]:
        for batch, is_end in islice(self._split.feed.all_batches(), consumed, None):
            if self._ended:
                return
            yield self._named(batch), is_end


def _empty(spec: Any) -> Any:
    shape = [size or 0 for size in spec.shape]
    if isinstance(spec, tf.SparseTensorSpec):
        return tf.SparseTensor(np.zeros((0, len(shape)), np.int64), tf.zeros([0], spec.dtype), shape)
    return tf.zeros(shape, spec.dtype)


def _can_be_saved(place: IteratorPlace) -> bool:
    try:
        place.read()
    except tf.errors.OpError:
        return False
    return True


def described(split: FedSplit) -> Any:
    """Return the types and shapes of batches; axes in which two of them differ are open."""
    another = split.inputs if split.another is None else split.another[0]
    inputs = tf.nest.map_structure(_spec, split.inputs, another, split.sparse)
    targets = tf.nest.map_structure(_spec, split.targets, (split.another or (0, split.targets))[1])
    if split.sample_weight is None:
        return inputs, targets
    return (
        inputs,
        targets,
        tf.nest.map_structure(lambda weights: _spec(weights, weights), split.sample_weight),
    )


def _spec(array: np.ndarray, other: np.ndarray, sparse: bool = False) -> Any:
    axes = [size if size == own else None for size, own in zip(array.shape[1:], other.shape[1:], strict=True)]
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    return tf.SparseTensorSpec([None, *axes], dtype) if sparse else tf.TensorSpec([None, *axes], dtype)


def _named_by(split: FedSplit) -> Any:
    """Return the function from the elements of a dataset to inputs, targets and weights by name."""

    def named(*parts: Any) -> Any:
        inputs, targets, weights = split.named(parts if len(parts) > 1 else parts[0], _TENSORS)
        return (inputs, targets) if weights is None else (inputs, targets, weights)

    return named


def _as_float(tensor: Any) -> Any:
    return tf.cast(tensor, tf.float32) if tensor.dtype in (tf.float64, tf.float16) else tensor


def _as_weight(tensor: Any) -> Any:
    return tf.cast(tensor, tf.float32)


def _no_targets(inputs: Any) -> Any:
    return tf.zeros([count_of(inputs), 0])


def _by_class(table: np.ndarray, targets: Any) -> Any:
    one_hot = targets.shape.rank == 2 and targets.shape[1] != 1
    labels = tf.argmax(targets, axis=1) if one_hot else tf.cast(tf.reshape(targets, [-1]), tf.int64)
    return tf.gather(tf.constant(table, tf.float32), tf.clip_by_value(labels, 0, len(table) - 1))


def _kept(values: Any) -> Any:
    """Return an array, or a sparse tensor of what is sparse."""
    if not is_sparse(values):
        return ARRAYS.values(values)
    if hasattr(values, "tocoo"):
        found = values.tocoo()
        places = np.stack([found.row, found.col], axis=1).astype(np.int64)
        values = tf.sparse.reorder(tf.SparseTensor(places, found.data, found.shape))
    return tf.cast(values, tf.float32) if values.dtype in (tf.float64, tf.float16) else values


_KEPT = ARRAYS._replace(values=_kept)
_TENSORS = Conversion(_as_float, _as_weight, _no_targets, _by_class)

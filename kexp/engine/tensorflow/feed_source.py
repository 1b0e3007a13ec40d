"""The batches of a feed in the training step: where they are read from, and how a run goes on in them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from kexp.data.batch_feed import Conversion, FedSplit, TfDataFeed
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
_AHEAD = 2  # batches that are made while a step is taken


class FeedBatchSource(TensorSource):
    """Takes the batches of a feed as they come.

    A run goes on by the state of a dataset's own iterator where that can be saved, else by reading up to the
    same place.

    Args:
        split: The training data.
        first_epoch: The epoch that the run begins with.
    """

    feeds = True

    def __init__(self, split: FedSplit, first_epoch: int = 0) -> None:
        self._split = split
        self._first_epoch = first_epoch
        self._consumed = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._iterator: Any = None
        self._place: IteratorPlace | None = None
        self._can_save: bool | None = None
        self._ended = False

    def order(self, order: np.ndarray, batch_size: int, *seed: int) -> np.ndarray:
        """Return the order as it is: a feed has one of its own."""
        return order

    def __call__(self, rows: tf.Tensor) -> tuple[Any, Any, Any]:
        inputs, targets, *weights = next(self._iterator)
        self._consumed.assign_add(1)
        return inputs, targets, weights[0] if weights else None

    def begin(self) -> None:
        """Begin to read, unless a place was restored, outside of a compiled function."""
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
        self.begin()
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

    def _open(self, consumed: int) -> None:
        """Begin to read after so many batches."""
        feed = self._split.feed
        if isinstance(feed, TfDataFeed):
            batches = feed.dataset.repeat().map(_named_by(self._split))
            self._iterator = iter(batches.skip(consumed).prefetch(_AHEAD))
            self._place = IteratorPlace(self._iterator, ITERATOR_STATE, "feed")
            if self._can_save is None:
                self._can_save = _can_be_saved(self._place)
            return
        described = _described(self._split)
        made = tf.data.Dataset.from_generator(lambda: self._batches(consumed), output_signature=described)
        self._iterator = iter(made.prefetch(_AHEAD))

    def _batches(self, consumed: int) -> Iterator[Any]:
        feed = self._split.feed
        epoch, step = divmod(consumed, feed.steps)
        for number in itertools.count(self._first_epoch + epoch):
            for batch in feed.batches(number, step):
                if self._ended:
                    return
                inputs, targets, weights = self._split.named(batch)
                yield (inputs, targets) if self._split.sample_weight is None else (inputs, targets, weights)
            step = 0


def _can_be_saved(place: IteratorPlace) -> bool:
    try:
        place.read()
    except tf.errors.OpError:
        return False
    return True


def _described(split: FedSplit) -> Any:
    """Return the types and shapes of batches; axes in which two of them differ are open."""
    batch = (split.inputs, split.targets, split.sample_weight)
    described = batch[: 2 if split.sample_weight is None else 3]
    others = described if split.another is None else split.another[: len(described)]

    def spec(array: np.ndarray, other: np.ndarray) -> tf.TensorSpec:
        axes = [
            size if size == own else None for size, own in zip(array.shape[1:], other.shape[1:], strict=True)
        ]
        return tf.TensorSpec([None, *axes], tf.string if array.dtype == object else tf.as_dtype(array.dtype))

    return tf.nest.map_structure(spec, described, others)


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


_TENSORS = Conversion(_as_float, _as_weight, _no_targets)

"""The batches of a feed in the training step: where they are read from, and how a run goes on in them."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kexp.core.foreign_files import guarded
from kexp.core.structures import flat, leaves
from kexp.data.batch_feed import FedSplit, TfDataFeed, unpacked
from kexp.engine.base import ITERATOR_STATE, STREAM_STATE
from kexp.engine.tensorflow.input_pipeline import first_of, gathered, weights_on_device

_CONSUMED = f"{STREAM_STATE}consumed"
_AHEAD = 2  # batches that are made while a step is taken


class FeedBatchSource:
    """Takes the batches of a feed as they come.

    A run goes on by the state of a dataset's own iterator where that can be saved, else by reading up to the
    same place.

    Args:
        split: The training data.
        first_epoch: The epoch that the run begins with.
    """

    def __init__(self, split: FedSplit, first_epoch: int = 0) -> None:
        self._split = split
        self._first_epoch = first_epoch
        self._consumed = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._iterator: Any = None
        self._checkpoint: Any = None
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
        if self._iterator is None or self._can_save is False:
            return state
        if self._checkpoint is not None:
            state.update(self._saved())
        return state

    def restore_state(self, state: dict[str, np.ndarray]) -> bool:
        """Go on from where `read_state` found the feed, and return whether its iterator is another one."""
        consumed = int(state[_CONSUMED][0])
        files = {name: content for name, content in state.items() if name.startswith(ITERATOR_STATE)}
        if files:
            self._open(0)
            self._restore(files)
        else:
            self._open(consumed)
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
            self._checkpoint = tf.train.Checkpoint(iterator=self._iterator)
            if self._can_save is None:
                self._try_to_save()
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

    def _try_to_save(self) -> None:
        try:
            self._saved()
            self._can_save = True
        except tf.errors.OpError:
            self._can_save = False

    def _saved(self) -> dict[str, np.ndarray]:
        with tempfile.TemporaryDirectory() as folder:
            self._checkpoint.write(str(Path(folder) / "feed"))
            files = list(Path(folder).iterdir())
            return {f"{ITERATOR_STATE}{file.name}": np.fromfile(file, np.uint8) for file in files}

    def _restore(self, files: dict[str, np.ndarray]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                content.tofile(Path(folder) / Path(name).name)
            with guarded("the checkpoint", "the place of a tf.data.Dataset", "remove it to begin anew"):
                self._checkpoint.read(str(Path(folder) / "feed")).assert_consumed()


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
        x, y, weights = unpacked(parts if len(parts) > 1 else parts[0])
        inputs = tf.nest.map_structure(_as_float, flat(split.input_structure, x))
        if split.target_structure is None:
            targets = tf.zeros([tf.shape(leaves(x)[0])[0], 0])
        else:
            targets = tf.nest.map_structure(_as_float, flat(split.target_structure, y))
        if weights is None:
            return inputs, targets
        weights = tf.nest.map_structure(lambda one: tf.cast(one, tf.float32), weights)
        if isinstance(weights, list | tuple | dict):
            weights = flat(split.target_structure, weights)
        elif isinstance(targets, dict):
            weights = dict.fromkeys(targets, weights)
        return inputs, targets, weights

    return named


def _as_float(tensor: Any) -> Any:
    return tf.cast(tensor, tf.float32) if tensor.dtype in (tf.float64, tf.float16) else tensor

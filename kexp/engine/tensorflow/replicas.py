"""The devices that share the batches of a run, and what each of them takes and draws."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from kexp.core.keras_private import drawing_by
from kexp.core.types import Tensor

_taken = threading.local()


@dataclass(frozen=True)
class Shard:
    """The samples of a batch that one replica takes.

    Random numbers are drawn for the whole batch, of which each replica keeps those of its samples: so the
    replicas draw unlike numbers, and together what one device would have drawn.

    Attributes:
        first: Place of its first sample in the batch.
        size: How many it takes.
        whole: Samples of the batch.
        weight: What each of its samples counts; below 1 where several replicas take the same ones.
    """

    first: Any
    size: Any
    whole: Any
    weight: Any

    @property
    def count(self) -> Any:
        """How many samples it counts for, float32."""
        return tf.cast(self.size, tf.float32) * self.weight

    def sample(self, draw: Callable[[Sequence[Any]], Any], shape: Sequence[Any]) -> Any:
        """Return numbers of a shape whose first axis is that of the samples, one or several to each.

        Args:
            draw: From a shape to numbers.
            shape: What is wanted.
        """
        each = shape[0] // self.size
        numbers = draw((each * self.whole, *shape[1:]))
        return tf.slice(numbers, [each * self.first, *[0] * (len(shape) - 1)], list(shape))


class Replicas:
    """The replicas of the strategy that is in scope, which may be one device.

    Args:
        static: Whether shapes must be known when a step is compiled, so that shares are all of one size.
            Default: where the strategy is for TPUs.
    """

    def __init__(self, *, static: bool | None = None) -> None:
        self.strategy = tf.distribute.get_strategy()
        self.count = self.strategy.num_replicas_in_sync
        # Of one device too, a strategy wants to be the one that runs its replica.
        self.distributed = tf.distribute.has_strategy()
        self.static = isinstance(self.strategy, tf.distribute.TPUStrategy) if static is None else static

    def number(self) -> Any:
        """Return which replica this is, where it is one that asks."""
        return tf.distribute.get_replica_context().replica_id_in_sync_group

    def shard(self, batch: Any) -> tuple[Any, Shard]:
        """Return this replica's samples of a batch, a nest of tensors and None, and which they are.

        A batch that does not go round is taken by all of them, and each of its samples counts a part: no
        replica is without a sample, which batch normalisation and some of TensorFlow's kernels could not do.
        """
        tensors = [tensor for tensor in tf.nest.flatten(batch) if tensor is not None]
        count = int(tensors[0].shape[0]) if self.static else tf.shape(tensors[0])[0]
        shard = self._of_static(count) if self.static else self._of(count)

        def own(tensor: Tensor) -> Any:
            return None if tensor is None else tf.gather(tensor, shard.first + tf.range(shard.size))

        return tf.nest.map_structure(own, batch), shard

    def _of(self, count: Tensor) -> Shard:
        number, few = self.number(), count < self.count
        first = tf.where(few, 0, count * number // self.count)
        last = tf.where(few, count, count * (number + 1) // self.count)
        return Shard(first, last - first, count, tf.where(few, 1.0 / self.count, 1.0))

    def _of_static(self, count: int) -> Shard:
        if count % self.count:
            return Shard(0, count, count, 1.0 / self.count)
        size = count // self.count
        return Shard(self.number() * size, size, count, 1.0)

    def total(self, function: Callable[..., Sequence[Any]], *arguments: Any) -> list[Any]:
        """Run a function on every replica and return the sums of the float32 tensors that it gives.

        All go in one message, since each would take as long to begin with as most take to be sent.
        """

        shapes: list[Any] = []

        def joined(*arguments: Any) -> Any:
            tensors = [tf.cast(tensor, tf.float32) for tensor in function(*arguments)]
            shapes[:] = [tensor.shape for tensor in tensors]
            return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)

        # Layers draw and normalise as for the whole batch while a replica's step is traced.
        with drawing_by(_drawn, _dropped, moments_of_all):
            parts = self.strategy.run(joined, args=arguments)
        together = self.strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None)
        pieces = tf.split(together, [shape.num_elements() for shape in shapes])
        return [tf.reshape(piece, shape) for piece, shape in zip(pieces, shapes, strict=True)]


@contextmanager
def use_shard(shard: Shard) -> Iterator[None]:
    """Have layers draw this share's part of the numbers of the whole batch."""
    _taken.shard = shard
    try:
        yield
    finally:
        _taken.shard = None


def moments_of_all(x: Tensor, axes: Sequence[int], keepdims: bool) -> tuple[Any, Any]:
    """Return mean and variance of what all replicas have, for batch normalisation.

    In two passes, as on one device: Keras's own way for replicas, the mean of the squares less the square of
    the mean, loses what is small beside its mean.

    Args:
        x: What this replica has.
        axes: Over which the moments are.
        keepdims: Whether these axes are kept, of size 1.
    """

    def summed(values: Any) -> Any:
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    own = tf.reduce_sum(x, axis=axes, keepdims=True)
    count = tf.cast(tf.size(x), x.dtype) / tf.cast(tf.size(own), x.dtype)
    sums = summed(tf.concat([tf.reshape(own, [-1]), [count]], axis=0))
    mean = tf.reshape(sums[:-1] / sums[-1], tf.shape(own))
    # The sum of squares does not move with the mean.
    squares = tf.math.squared_difference(x, tf.stop_gradient(mean))
    variance = summed(tf.reduce_sum(squares, axis=axes, keepdims=True)) / sums[-1]
    return (mean, variance) if keepdims else (tf.squeeze(mean, axes), tf.squeeze(variance, axes))


def _drawn(draw: Callable[..., Any], shape: Any, *others: Any, **options: Any) -> Any:
    shard = getattr(_taken, "shard", None)
    wanted = tf.unstack(shape) if tf.is_tensor(shape) else list(shape)
    if shard is None or not wanted or not _of_samples(shard, wanted[0]):
        return draw(shape, *others, **options)
    return shard.sample(lambda whole: draw(whole, *others, **options), wanted)


def _dropped(
    dropout: Callable[..., Any], inputs: Tensor, rate: float, noise_shape: Any = None, seed: Any = None
) -> Any:
    shard = getattr(_taken, "shard", None)
    asked = [None] * len(inputs.shape) if noise_shape is None else list(noise_shape)
    sizes = [
        own if fixed is None else fixed for own, fixed in zip(keras.ops.shape(inputs), asked, strict=True)
    ]
    if shard is None or not _of_samples(shard, sizes[0]) or not 0 < rate < 1:
        return dropout(inputs, rate, noise_shape, seed)
    return inputs * shard.sample(lambda whole: dropout(tf.ones(whole, inputs.dtype), rate, None, seed), sizes)


def _of_samples(shard: Shard, size: Tensor) -> bool:
    """Return whether a first axis is that of the samples: where shapes are open, that of others is known."""
    if isinstance(shard.size, int):
        return not isinstance(size, int) or (size >= shard.size and size % shard.size == 0)
    return not isinstance(size, int)

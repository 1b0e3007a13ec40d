"""The devices that share the batches of a run, and what each of them takes and draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from kexp.core.keras_private import computing_by, measuring_all_replicas
from kexp.core.types import Tensor
from kexp.engine.base import BY_KERAS, Computation
from kexp.engine.tensorflow.fused_gru import gru
from kexp.engine.tensorflow.fused_lstm import lstm
from kexp.engine.tensorflow.layer_draws import layer_draws
from kexp.engine.tensorflow.shard import Shard


class Replicas:
    """The replicas of the strategy that is in scope, which may be one device.

    Args:
        static: Whether shapes must be known when a step is compiled, so that shares are all of one size.
            Default: where the strategy is for TPUs.
        computation: How layers compute, default as Keras has it.
    """

    def __init__(self, *, static: bool | None = None, computation: Computation = BY_KERAS) -> None:
        self.strategy = tf.distribute.get_strategy()
        self.count = self.strategy.num_replicas_in_sync
        # Of one device too, a strategy wants to be the one that runs its replica.
        self.distributed = tf.distribute.has_strategy()
        self.static = isinstance(self.strategy, tf.distribute.TPUStrategy) if static is None else static
        draws = layer_draws(counter_based=computation.counter_random, distributed=self.distributed)
        # A GPU has a kernel of its own.
        fused = computation.fused_recurrent and not tf.config.list_physical_devices("GPU")
        self.layers = partial(computing_by, draws, {"lstm": lstm, "gru": gru} if fused else {})

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
        with self.layers(), measuring_all_replicas(moments_of_all):
            parts = self.strategy.run(joined, args=arguments)
        together = self.strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None)
        pieces = tf.split(together, [shape.num_elements() for shape in shapes])
        return [tf.reshape(piece, shape) for piece, shape in zip(pieces, shapes, strict=True)]


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

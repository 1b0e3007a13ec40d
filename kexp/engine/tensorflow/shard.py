"""The samples of a batch that one replica takes, and what it draws for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

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
        most: Samples that a batch can have, where batches are of several sizes; None (default): as `whole`.
    """

    first: Any
    size: Any
    whole: Any
    weight: Any
    most: int | None = None

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

    def all_gather(self, x: Tensor) -> tuple[Any, Any]:
        """Return what the samples of all replicas have, and the places of this one's among them.

        Each replica puts its own where they belong among zeros, and all are added up: so shares need not be
        of one size, and gradients go back the same way. What is added up has one shape whatever the batch:
        TensorFlow's collectives know one for all their calls.

        Args:
            x: (size, ...) float32 of the samples of this one.
        """
        places = self.first + tf.range(self.size)
        rows = self.whole if self.most is None else self.most
        own = tf.scatter_nd(places[:, None], x * self.weight, [rows, *x.shape[1:]])
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, own)[: self.whole], places

    def place(self, shape: Sequence[Any]) -> Any:
        """Return the place of the first number of such a shape among those of the whole batch."""
        place = shape[0] // self.size * self.first
        for size in shape[1:]:
            place *= size
        return place


@contextmanager
def use_shard(shard: Shard) -> Iterator[None]:
    """Have layers draw this share's part of the numbers of the whole batch."""
    _taken.shard = shard
    try:
        yield
    finally:
        _taken.shard = None


def shard_of(shape: Sequence[Any]) -> Shard | None:
    """Return the share in use, if numbers of such a shape are some for each of its samples."""
    shard = getattr(_taken, "shard", None)
    return shard if shard is not None and len(shape) and _of_samples(shard, shape[0]) else None


def _of_samples(shard: Shard, size: Tensor) -> bool:
    """Return whether a first axis is that of the samples: where shapes are open, that of others is known."""
    if isinstance(shard.size, int):
        return not isinstance(size, int) or (size >= shard.size and size % shard.size == 0)
    return not isinstance(size, int)

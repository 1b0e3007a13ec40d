"""What an objective asks of the engine within a step: random numbers and slopes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


class Step:
    """Random numbers and slopes for one forward pass.

    The numbers follow from the run's seed and from where the pass stands, in the run and among the replicas,
    alone: they need no state, so that a run which goes on from a checkpoint draws what it would have drawn,
    and each replica draws its own. Every draw of a pass is independent of the ones before.

    Args:
        training: Whether weights are going to be changed.
        *place: Whole numbers that tell the pass from all others: first the seed.

    Example:
        >>> one, same, other = Step(True, 0, 5), Step(True, 0, 5), Step(True, 0, 6)
        >>> first = one.normal((2,))
        >>> bool(tf.reduce_all(first == same.normal((2,)))), bool(tf.reduce_all(first == one.normal((2,))))
        (True, False)
        >>> bool(tf.reduce_all(first == other.normal((2,))))
        False
    """

    def __init__(self, training: bool, *place: Any) -> None:
        self.training = training
        seed = tf.constant([0, 0], tf.int32)
        for number in place:
            seed = tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int32), alg="philox")
        self._seed = seed
        self._draws = 0

    def normal(self, shape: Sequence[Any]) -> Any:
        """Return float32 of a shape, standard normal."""
        return tf.random.stateless_normal(shape, self._next(), alg="philox")

    def uniform(self, shape: Sequence[Any]) -> Any:
        """Return float32 of a shape, from 0 to below 1."""
        return tf.random.stateless_uniform(shape, self._next(), alg="philox")

    def integers(self, shape: Sequence[Any], end: int) -> Any:
        """Return int32 of a shape, from 0 to below `end`, each as likely as the others."""
        return tf.random.stateless_uniform(shape, self._next(), 0, end, tf.int32, alg="philox")

    def slope(self, function: Callable[[Any], Any], x: Any) -> Any:
        """Return the gradient of the sum of what `function` gives with respect to `x`, of its shape.

        Example:
            >>> Step(True, 0).slope(lambda x: x**2, tf.constant([1.0, 3.0])).numpy().tolist()
            [2.0, 6.0]
        """
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(function(x))
        return tape.gradient(value, x)

    def _next(self) -> tf.Tensor:
        self._draws += 1
        return tf.random.experimental.stateless_fold_in(self._seed, self._draws, alg="philox")

"""What an objective asks of the engine within a step: random numbers and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from kexp.engine.tensorflow import counter_random as by_counter
from kexp.engine.tensorflow.shard import Shard


class SeededStepContext:
    """Random numbers and gradients for one forward pass.

    The numbers follow from the run's seed and from where the pass stands, in the run and among the replicas,
    alone: they need no state, so that a run which goes on from a checkpoint draws what it would have drawn,
    and replicas together draw what one device would. Every draw of a pass is independent of the ones before.

    Args:
        training: Whether weights are going to be changed.
        *place: Whole numbers that tell the pass from all others: first the seed.
        shard: Which samples of the batch the pass is of; None (default): all of them.
        sample_weight: Weights of the samples; None (default): all alike.
        counter_random: Whether numbers are drawn by a counter, default False: by TensorFlow's kernels.

    Example:
        >>> one, same, other = (SeededStepContext(True, 0, place) for place in (5, 5, 6))
        >>> first = one.normal((2,))
        >>> bool(tf.reduce_all(first == same.normal((2,)))), bool(tf.reduce_all(first == one.normal((2,))))
        (True, False)
        >>> bool(tf.reduce_all(first == other.normal((2,))))
        False
    """

    def __init__(
        self,
        training: bool,
        *place: Any,
        shard: Shard | None = None,
        sample_weight: Any = None,
        counter_random: bool = False,
    ) -> None:
        self.training = training
        self.sample_weight = sample_weight
        self._shard = shard
        self._place = place
        self._seeds: dict[Any, tf.Tensor] = {}  # by the graph that they are in
        self._draws = 0
        self._counter_random = counter_random

    def normal(self, shape: Sequence[Any]) -> Any:
        """Return float32 of a shape, of which the first axis is that of the samples, standard normal."""
        return self._drawn(by_counter.normal, tf.random.stateless_normal, shape)

    def uniform(self, shape: Sequence[Any]) -> Any:
        """Return float32 of a shape as for `normal`, from 0 to below 1."""
        return self._drawn(by_counter.uniform, tf.random.stateless_uniform, shape)

    def integers(self, shape: Sequence[Any], end: int) -> Any:
        """Return int32 of a shape as for `normal`, from 0 to below `end`, each as likely as the others."""
        kernel = partial(tf.random.stateless_uniform, minval=0, maxval=end, dtype=tf.int32)
        return self._drawn(partial(by_counter.integers, end=end), kernel, shape)

    def gradient(self, function: Callable[[Any], Any], x: Any) -> Any:
        """Return the gradient of the sum of what `function` gives with respect to `x`, of its shape.

        Example:
            >>> SeededStepContext(True, 0).gradient(lambda x: x**2, tf.constant([1.0, 3.0])).numpy().tolist()
            [2.0, 6.0]
        """
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(function(x))
        return tape.gradient(value, x)

    def all_gather(self, x: Any) -> tuple[Any, Any]:
        """Return what all samples of the batch have, those of other replicas too, and whose place is whose.

        Example:
            >>> whole, places = SeededStepContext(True, 0).all_gather(tf.constant([[1.0], [3.0]]))
            >>> whole.numpy().tolist(), places.numpy().tolist()
            ([[1.0], [3.0]], [0, 1])
        """
        if self._shard is None:
            return x, tf.range(x.shape[0] or tf.shape(x)[0])
        return self._shard.all_gather(x)

    def _drawn(self, counted: Callable[..., Any], kernel: Callable[..., Any], shape: Sequence[Any]) -> Any:
        self._draws += 1
        sizes = tf.unstack(shape) if tf.is_tensor(shape) else shape
        if self._counter_random:
            place = 0 if self._shard is None else self._shard.place(sizes)
            return counted(by_counter.key_of(*self._place, self._draws), sizes, place)
        draw = partial(kernel, seed=self._seed(), alg="philox")
        return draw(shape) if self._shard is None else self._shard.sample(draw, sizes)

    def _seed(self) -> tf.Tensor:
        graph = tf.compat.v1.get_default_graph()
        if graph not in self._seeds:  # most objectives draw nothing, and tracing this takes long
            self._seeds[graph] = self._folded(tf.constant([0, 0], tf.int32), *self._place)
        return self._folded(self._seeds[graph], self._draws)

    @staticmethod
    def _folded(seed: tf.Tensor, *numbers: Any) -> tf.Tensor:
        for number in numbers:
            seed = tf.random.experimental.stateless_fold_in(seed, tf.cast(number, tf.int32), alg="philox")
        return seed

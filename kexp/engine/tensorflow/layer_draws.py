"""What Keras's layers draw from inside a step, of one device or of a replica."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from kexp.core.keras_private import drawn_seed
from kexp.core.types import Tensor
from kexp.engine.tensorflow import counter_random
from kexp.engine.tensorflow.counter_random import Key, key_of
from kexp.engine.tensorflow.shard import shard_of

# By the name of Keras's function, which each takes first, and then its arguments.
LayerDraws = Mapping[str, Callable[..., Any]]
LayerSeed: TypeAlias = "int | keras.random.SeedGenerator | None"
Sizes: TypeAlias = "Sequence[Any] | Tensor"
Number: TypeAlias = "float | Tensor"
_WIDEST = 2**31


def layer_draws(*, counter_based: bool, distributed: bool) -> LayerDraws:
    """Return what stands in for the functions that layers draw with.

    Args:
        counter_based: Whether numbers are hashes of the layer's seed and of their place; else Keras's.
        distributed: Whether replicas share a batch, and so the numbers of all.

    Example:
        >>> sorted(layer_draws(counter_based=True, distributed=False))
        ['dropout', 'normal', 'randint', 'truncated_normal', 'uniform']
    """
    shared = dict.fromkeys(("normal", "uniform", "truncated_normal", "randint", "gamma"), _of_all)
    draws: LayerDraws = {**shared, "dropout": _dropout_of_all} if distributed else {}
    return {**draws, **_COUNTER_BASED} if counter_based else draws


def _of_all(draw: Callable[..., Any], shape: Sizes, *others: Any, **options: Any) -> Any:
    wanted = _sizes(shape)
    shard = shard_of(wanted)
    if shard is None:
        return draw(shape, *others, **options)
    return shard.sample(lambda whole: draw(whole, *others, **options), wanted)


def _dropout_of_all(
    dropout: Callable[..., Any],
    inputs: Tensor,
    rate: float,
    noise_shape: Sequence[int | None] | None = None,
    seed: LayerSeed = None,
) -> Any:
    sizes = _noise_sizes(inputs, noise_shape)
    shard = shard_of(sizes)
    if shard is None or not 0 < rate < 1:
        return dropout(inputs, rate, noise_shape, seed)
    return inputs * shard.sample(lambda whole: dropout(tf.ones(whole, inputs.dtype), rate, None, seed), sizes)


def _scaled(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Return Keras's function of numbers that are standard normal, whole or truncated."""

    def drawn(
        _: object,
        shape: Sizes,
        mean: Number = 0.0,
        stddev: Number = 1.0,
        dtype: str | None = None,
        seed: LayerSeed = None,
    ) -> Any:
        return _cast(_drawn(draw, shape, seed) * stddev + mean, dtype)

    return drawn


def _uniform(
    _: object,
    shape: Sizes,
    minval: Number = 0.0,
    maxval: Number = 1.0,
    dtype: str | None = None,
    seed: LayerSeed = None,
) -> Any:
    low, high = tf.cast(minval, tf.float32), tf.cast(maxval, tf.float32)
    return _cast(_drawn(counter_random.uniform, shape, seed) * (high - low) + low, dtype)


def _randint(
    randint: Callable[..., Any],
    shape: Sizes,
    minval: Number,
    maxval: Number,
    dtype: str = "int32",
    seed: LayerSeed = None,
) -> Any:
    if not (isinstance(minval, int) and isinstance(maxval, int) and maxval - minval < _WIDEST):
        return _of_all(randint, shape, minval, maxval, dtype, seed)

    draw = partial(counter_random.integers, end=maxval - minval)
    return _cast(tf.cast(_drawn(draw, shape, seed), tf.int64) + minval, dtype)


def _dropout(
    dropout: Callable[..., Any],
    inputs: Tensor,
    rate: float,
    noise_shape: Sequence[int | None] | None = None,
    seed: LayerSeed = None,
) -> Any:
    if not 0 < rate < 1:
        return dropout(inputs, rate, noise_shape, seed)
    bits = _drawn(counter_random.random_bits, _noise_sizes(inputs, noise_shape), seed)
    exact = tf.convert_to_tensor(rate, tf.float64)
    dropped = tf.cast(tf.cast(tf.round(exact * 2.0**32), tf.int64), tf.uint32)  # numbers below it
    kept = tf.cast(bits >= dropped, inputs.dtype)
    return inputs * (kept * tf.cast(1 / (1 - exact), inputs.dtype))


def _drawn(draw: Callable[[Key, Sequence[Any], Any], Any], shape: Sizes, seed: LayerSeed) -> Any:
    """Return what the seed of a layer draws, or this replica's part of it."""
    key = key_of(*tf.unstack(drawn_seed(seed)))
    sizes = _sizes(shape)
    shard = shard_of(sizes)
    return draw(key, sizes, 0 if shard is None else shard.place(sizes))


def _sizes(shape: Sizes) -> list[Any]:
    return tf.unstack(shape) if tf.is_tensor(shape) else list(shape)


def _noise_sizes(inputs: Tensor, noise_shape: Sequence[int | None] | None) -> list[Any]:
    asked = [None] * len(inputs.shape) if noise_shape is None else list(noise_shape)
    shape = keras.ops.shape(inputs)
    return [own if fixed is None else fixed for own, fixed in zip(shape, asked, strict=True)]


def _cast(numbers: Tensor, dtype: str | None) -> Any:
    return tf.cast(numbers, dtype or keras.config.floatx())


_COUNTER_BASED: LayerDraws = {
    "dropout": _dropout,
    "normal": _scaled(counter_random.normal),
    "randint": _randint,
    "truncated_normal": _scaled(counter_random.truncated_normal),
    "uniform": _uniform,
}

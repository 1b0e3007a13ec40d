"""Dropout of units, and of whole residual branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor

__all__ = ["StochasticDepth"]


def drop(rate: float) -> Callable[[Any], Any]:
    """Return dropout at `rate` as a function of a tensor; no layer at rate 0."""
    return layers.Dropout(rate) if rate else lambda tensor: tensor


@keras.saving.register_keras_serializable(package="kexp")
class StochasticDepth(keras.layers.Layer):
    """Drops the whole residual branch of some samples in training, so that a block is skipped.

    The others are scaled by 1 / (1 - rate), so that the expectation stays and inference changes nothing
    (Huang et al. 2016, "Deep networks with stochastic depth").

    Args:
        rate: Share of samples whose branch is dropped, from 0 to below 1.
        seed: Of the draws; None (default) follows `keras.utils.set_random_seed`.

    Raises:
        InputError: The rate is not in its range.

    Example:
        >>> branch = keras.ops.ones((4, 8, 8, 16))
        >>> bool(keras.ops.all(StochasticDepth(0.2)(branch, training=False) == branch))
        True
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise InputError(f"rate must be a number from 0 to below 1; received {rate!r}.")
        self.rate = rate
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """Return (batch, ...) of the same shape, zero for the dropped samples."""
        if not training or not self.rate:
            return inputs
        shape = (ops.shape(inputs)[0], *(1 for _ in inputs.shape[1:]))
        # In float32: half precision would round the share of dropped samples.
        kept = keras.random.uniform(shape, dtype="float32", seed=self.generator) >= self.rate
        return inputs * ops.cast(ops.where(kept, 1 / (1 - self.rate), 0.0), inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}

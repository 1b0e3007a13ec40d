"""Blocks that several families share: small closures over Keras layers, and stochastic depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from kexp.errors import InputError
from kexp.ranges import InputType, Normalization

__all__ = ["StochasticDepth"]


def scaled_input(shape: tuple[int, ...], dtype: InputType) -> tuple[Any, Any]:
    """Return an input and what the network sees of it: bytes become numbers from 0 to 1.

    Args:
        shape: Of one sample.
        dtype: "uint8" inputs are divided by 255; "float32" inputs are taken as they come.
    """
    inputs = keras.Input(shape, dtype=dtype)
    return inputs, layers.Rescaling(1.0 / 255.0)(inputs) if dtype == "uint8" else inputs


def normalize(kind: Normalization) -> Callable[[Any], Any]:
    """Return a normalisation as a function of a tensor; "none" returns it as it is."""
    if kind == "none":
        return lambda tensor: tensor
    # Keras's momentum of 0.99 lags for hundreds of steps; He et al. 2015 and PyTorch use 0.9.
    return layers.BatchNormalization(momentum=0.9) if kind == "batch" else layers.LayerNormalization()


def drop(rate: float) -> Callable[[Any], Any]:
    """Return dropout at `rate` as a function of a tensor; no layer at rate 0."""
    return layers.Dropout(rate) if rate else lambda tensor: tensor


@keras.saving.register_keras_serializable(package="kexp")
class StochasticDepth(keras.layers.Layer):
    """Drops the whole residual branch of some samples in training, so that a block is skipped.

    What is kept is scaled by 1 / (1 - rate), so that the expectation stays and inference changes nothing
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

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return (batch, ...) of the same shape, zero for the dropped samples."""
        if not training or not self.rate:
            return inputs
        shape = (ops.shape(inputs)[0], *(1 for _ in inputs.shape[1:]))
        # In float32: half precision would round the share of dropped samples.
        kept = keras.random.uniform(shape, dtype="float32", seed=self.generator) >= self.rate
        return inputs * ops.cast(ops.where(kept, 1 / (1 - self.rate), 0.0), inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def batch_normalizations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Return the layers of a model that normalise by batch, those of nested models included."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]

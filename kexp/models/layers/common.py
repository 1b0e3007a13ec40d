"""Blocks that several families share: small closures over Keras layers, masks, and stochastic depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers, ops

from kexp.core.constraints import InputType, Normalization
from kexp.core.errors import InputError
from kexp.core.keras_private import all_layers
from kexp.core.types import Shape, Tensor

__all__ = ["MaskedBatchNormalization", "StochasticDepth"]


def scaled_input(shape: tuple[int, ...], dtype: InputType) -> tuple[Any, Any]:
    """Return an input and what the network sees of it: bytes become numbers from 0 to 1.

    Args:
        shape: Of one sample.
        dtype: "uint8" inputs are divided by 255; "float32" inputs are taken as they come.
    """
    inputs = keras.Input(shape, dtype=dtype)
    return inputs, layers.Rescaling(1.0 / 255.0)(inputs) if dtype == "uint8" else inputs


def masked_series(inputs: Tensor) -> tuple[Any, Any]:
    """Return series with 0 for what is missing, and which steps are not padding.

    A step whose channels are all NaN is padding if no step after it has a number. NaN elsewhere is a missing
    value, which 0 stands for: the mean, where channels are standardised.

    Args:
        inputs: (batch, steps, channels) float32.

    Returns:
        (batch, steps, channels) float32 without NaN, and the mask, (batch, steps) bool.

    Example:
        >>> nan = float("nan")
        >>> series, mask = masked_series(ops.array([[[1.0], [nan], [2.0], [nan]]]))
        >>> series[0, :, 0].numpy().tolist(), mask[0].numpy().tolist()
        ([1.0, 0.0, 2.0, 0.0], [True, True, True, False])
    """
    missing = ops.isnan(inputs)
    return ops.where(missing, 0.0, inputs), until_last(ops.logical_not(ops.all(missing, axis=-1)))


def until_last(known: Tensor) -> Any:
    """Return (batch, steps) bool, True up to the last step that is known; padding is what follows.

    Example:
        >>> until_last(ops.array([[True, False, True, False]]))[0].numpy().tolist()
        [True, True, True, False]
    """
    left = ops.cumsum(ops.flip(ops.cast(known, "int32"), axis=1), axis=1)  # known steps from here on
    return ops.flip(left, axis=1) > 0


def masked_mean(x: Tensor, mask: Tensor) -> Any:
    """Return (batch, width) float32, the mean of (batch, steps, width) where the mask holds; 0 if nowhere."""
    kept = ops.expand_dims(ops.cast(mask, "float32"), -1)  # (batch, steps, 1)
    total = ops.sum(ops.cast(x, "float32") * kept, axis=1)
    return total / ops.maximum(ops.sum(kept, axis=1), 1.0)


def predictions(
    x: Tensor, outputs: int, scale: float | Sequence[float] = 1.0, offset: float | Sequence[float] = 0.0
) -> Any:
    """Return (batch, outputs) float32 of (batch, width): a dense layer, multiplied by `scale`, plus `offset`.

    Args:
        x: What the layer sees.
        outputs: Classes, as logits, or regression targets.
        scale: For regression, the standard deviation of the targets; 1 (default) for logits.
        offset: For regression, their mean; 0 (default) for logits.
    """
    x = layers.Dense(outputs, dtype="float32", name="logits")(x)
    if scale != 1.0 or offset != 0.0:
        x = layers.Rescaling(scale, offset, dtype="float32")(x)
    return x


def normalize(kind: Normalization, mask: Tensor | None = None) -> Callable[[Any], Any]:
    """Return a normalisation as a function of a tensor; "none" returns it as it is.

    Args:
        kind: "none", "batch" or "layer".
        mask: Which positions the statistics of a batch are of, without the last axis; None (default): all.
    """
    if kind == "none":
        return lambda tensor: tensor
    if kind == "layer":
        return layers.LayerNormalization()
    # Keras's momentum of 0.99 lags for hundreds of steps; He et al. 2015 and PyTorch use 0.9.
    if mask is None:
        return layers.BatchNormalization(momentum=0.9)
    return lambda tensor: MaskedBatchNormalization(momentum=0.9)(tensor, mask=mask)


def check_image_shape(shape: Sequence[int | None], name: str = "input_shape") -> None:
    """Raise an InputError if a shape is not that of an image, (height, width, channels)."""
    if len(shape) != 3 or any(size is None or size < 1 for size in shape):
        raise InputError(f"{name} must be (height, width, channels); received {tuple(shape)}.")


def drop(rate: float) -> Callable[[Any], Any]:
    """Return dropout at `rate` as a function of a tensor; no layer at rate 0."""
    return layers.Dropout(rate) if rate else lambda tensor: tensor


@keras.saving.register_keras_serializable(package="kexp")
class MaskedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation by the statistics of the steps that are not padding, on any number of replicas.

    Keras's own layer takes a mask too, but then never joins the statistics of replicas, whatever
    `synchronized` says, so that several would not compute what one does.

    Example:
        >>> series = ops.array([[[1.0], [3.0], [50.0]]])
        >>> layer = MaskedBatchNormalization(epsilon=0.0)
        >>> layer(series, mask=ops.array([[True, True, False]]), training=True)[0, :2, 0].numpy().tolist()
        [-1.0, 1.0]
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Any:
        """Return (batch, steps, channels) of the same shape; the mask is (batch, steps) bool."""
        if mask is None or not (training and self.trainable):
            return super().call(inputs, training=training)
        x = ops.cast(inputs, "float32")
        kept = ops.expand_dims(ops.cast(mask, "float32"), -1)  # (batch, steps, 1)
        share = ops.maximum(self._mean(kept), 1e-9)  # a batch of padding alone has no statistics
        mean = self._mean(x * kept) / share  # (channels,)
        variance = self._mean(ops.square(x - mean) * kept) / share
        for moving, current in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + ops.cast(current, moving.dtype) * (1 - self.momentum))
        own = {"offset": self.beta, "scale": self.gamma}
        own = {name: None if weight is None else ops.cast(weight, x.dtype) for name, weight in own.items()}
        x = ops.batch_normalization(x, mean, variance, axis=-1, epsilon=self.epsilon, **own)
        return ops.cast(x, self.compute_dtype)

    def _mean(self, tensor: Tensor) -> Any:
        axes = list(range(len(tensor.shape) - 1))
        return ops.moments(tensor, axes=axes, synchronized=self.synchronized)[0]


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


def batch_normalizations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Return the layers of a model that normalise by batch, those of nested models included."""
    return [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]

"""Normalisation by batch or layer, with masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from kexp.core.constraints import Normalization
from kexp.core.keras_private import all_layers
from kexp.core.types import Tensor

__all__ = ["MaskedBatchNormalization"]


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


def batch_normalizations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Return the layers of a model that normalise by batch, those of nested models included."""
    return [layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization)]

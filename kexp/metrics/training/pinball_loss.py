"""The pinball loss of quantiles as Keras takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kexp.core.types import Tensor


@keras.saving.register_keras_serializable(package="kexp")
class PinballLoss(keras.losses.Loss):
    """The mean over levels of twice the pinball loss, so that the level 0.5 alone gives the absolute error.

    Source: Koenker and Bassett 1978, "Regression quantiles".

    Args:
        levels: Of the quantiles, between 0 and 1.
        scales: Of each step what its losses are divided by, above 0; default: nothing.

    Example:
        >>> quantiles = ops.convert_to_tensor([[[2.0, 5.0]]])
        >>> float(PinballLoss((0.25, 0.75))(ops.convert_to_tensor([[4.0]]), quantiles))
        0.75
    """

    def __init__(
        self, levels: Sequence[float], scales: Sequence[float] = (), name: str = "pinball", **options: Any
    ) -> None:
        super().__init__(name=name, **options)
        self.levels, self.scales = tuple(levels), tuple(scales)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        """Return (batch, horizon) losses of targets of that shape and (batch, horizon, levels) quantiles."""
        over = ops.expand_dims(ops.cast(y_true, y_pred.dtype), -1) - y_pred
        levels = ops.convert_to_tensor(self.levels, y_pred.dtype)
        losses = 2 * ops.mean(ops.maximum(levels * over, (levels - 1) * over), axis=-1)
        return losses / ops.convert_to_tensor(self.scales, y_pred.dtype) if self.scales else losses

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "levels": list(self.levels), "scales": list(self.scales)}

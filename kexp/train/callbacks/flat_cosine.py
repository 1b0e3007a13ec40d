"""A dropout that falls in the second half of the training."""

from __future__ import annotations

import math
from typing import Annotated, Any

import keras

from kexp.core.constraints import AtLeast, check_value
from kexp.core.keras_private import all_layers
from kexp.models.tabular.ntk_layers import FallingDropout

__all__ = ["FlatCosine"]


class FlatCosine(keras.callbacks.Callback):
    """Lowers the rate of every `kexp.models.FallingDropout`: kept for half of the epochs, then a cosine to 0.

    At the beginning of epoch `e` of `n`, from 0, the factor is 1 while `e / n < 1/2`, then
    `(1 + cos(pi (2 e / n - 1))) / 2`.

    Args:
        epochs: Of the training, 1 or more.

    Raises:
        InputError: `epochs` does not fit.

    Source:
        Holzmüller, Grinsztajn and Steinwart 2024, "Better by Default"; there it falls at each step.

    Example:
        >>> layer = FallingDropout(0.15)
        >>> callback = FlatCosine(epochs=4)
        >>> callback.set_model(keras.Sequential([keras.Input((3,)), layer]))
        >>> callback.on_epoch_begin(3)
        >>> round(float(layer.factor), 6)
        0.5
    """

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = check_value("epochs", epochs, Annotated[int, AtLeast(1)])

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the factor of the epoch."""
        late = max(0.0, 2.0 * epoch / self.epochs - 1.0)
        for layer in all_layers(self.model):
            if isinstance(layer, FallingDropout):
                layer.factor.assign(0.5 * (1.0 + math.cos(math.pi * min(1.0, late))))

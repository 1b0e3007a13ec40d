"""U-Nets: images in, an answer for each pixel out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from kexp.errors import InputError
from kexp.models.layers import drop, normalize, scaled_input
from kexp.ranges import Activation, InputType, Normalization

__all__ = ["unet"]


def unet(
    input_shape: Sequence[int],
    outputs: int,
    *,
    filters: Sequence[int] = (16, 32, 64),
    activation: Activation = "relu",
    normalization: Normalization = "batch",
    dropout: float = 0.0,
    dtype: InputType = "uint8",
) -> keras.Model:
    """Build a U-Net: down to fewer, wider pixels and up again, with what was seen on the way down.

    Ronneberger, Fischer and Brox 2015, "U-Net: convolutional networks for biomedical image segmentation",
    but with convolutions that keep the size and with normalisation.

    Args:
        input_shape: (height, width, channels), of any height and width.
        outputs: Classes, as logits, or numbers, for each pixel.
        filters: Filters of each level, default (16, 32, 64); each level after the first has half the height
            and width of the one before, rounded up.
        activation: After each convolution, default "relu".
        normalization: Before each activation: "none", "batch" (default) or "layer".
        dropout: Share dropped of what leaves the lowest level, default 0, below 1.
        dtype: Of the inputs: "uint8" (default), divided by 255, or "float32" as they come.

    Returns:
        An uncompiled model, (batch, height, width, channels) to (batch, height, width, outputs) float32.

    Raises:
        InputError: The shape is another one, or there is no level.

    Example:
        >>> model = unet((30, 45, 3), 2)
        >>> model.output_shape, model.count_params()
        ((None, 30, 45, 2), 118018)
    """
    if len(input_shape) != 3 or None in tuple(input_shape):
        raise InputError(f"input_shape must be (height, width, channels); received {tuple(input_shape)}.")
    if not filters:
        raise InputError("filters must be those of one level or more; received none.")
    inputs, x = scaled_input(tuple(input_shape), dtype)  # (batch, height, width, channels)
    skips = []
    for count in filters[:-1]:
        x = double_convolution(x, count, activation, normalization)
        skips.append(x)
        x = layers.MaxPooling2D(2, padding="same")(x)  # (batch, height / 2, width / 2, count), rounded up
    x = drop(dropout)(double_convolution(x, filters[-1], activation, normalization))
    for count, skip in zip(filters[-2::-1], skips[::-1], strict=True):
        x = layers.concatenate([skip, upsampled(x, skip, count)])  # (batch, height, width, 2 * count)
        x = double_convolution(x, count, activation, normalization)
    x = layers.Conv2D(outputs, 1, dtype="float32", name="logits")(x)  # (batch, height, width, outputs)
    return keras.Model(inputs, x, name="unet")


def double_convolution(x: Any, count: int, activation: Activation, normalization: Normalization) -> Any:
    """Return (batch, height, width, count): 3×3 convolution, normalisation and activation, twice."""
    for _ in range(2):
        x = layers.Conv2D(count, 3, padding="same", use_bias=normalization != "batch")(x)
        x = layers.Activation(activation)(normalize(normalization)(x))
    return x


def upsampled(x: Any, skip: Any, count: int) -> Any:
    """Return (batch, height, width, count) of the height and width of `skip`, which `x` has half of."""
    x = layers.Conv2DTranspose(count, 2, strides=2)(x)
    return x[:, : skip.shape[1], : skip.shape[2]]  # half of an odd number was rounded up

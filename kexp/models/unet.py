"""U-Nets: images in, an answer for each pixel out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from kexp.core.constraints import Activation, InputType, Normalization
from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.models.layers.dropout import drop
from kexp.models.layers.inputs import check_image_shape, scaled_input
from kexp.models.layers.normalization import normalize

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
    check_levels(input_shape, filters)

    def convolved(x: Tensor, level: int) -> Any:
        rate = dropout if level == len(filters) - 1 else 0.0
        return drop(rate)(double_convolution(x, filters[level], activation, normalization))

    inputs, x = scaled_input(tuple(input_shape), dtype)  # (batch, height, width, channels)
    x = down_and_up(x, filters, convolved, lambda x, _: layers.MaxPooling2D(2, padding="same")(x))
    x = layers.Conv2D(outputs, 1, dtype="float32", name="logits")(x)  # (batch, height, width, outputs)
    return keras.Model(inputs, x, name="unet")


def check_levels(input_shape: Sequence[int], filters: Sequence[int]) -> None:
    """Raise an InputError if a shape is not that of an image, or there is no level."""
    check_image_shape(input_shape)
    if not filters:
        raise InputError("filters must be those of one level or more; received none.")


def down_and_up(
    x: Tensor, filters: Sequence[int], block: Callable[[Any, int], Any], halved: Callable[[Any, int], Any]
) -> Any:
    """Return (batch, height, width, filters[0]): a block for each level on the way down, and again up.

    Args:
        x: (batch, height, width, channels).
        filters: Of each level.
        block: From a tensor and the number of its level, 0 for the first, to that level's filters.
        halved: From what leaves a level and its number to half the height and width, rounded up.
    """
    skips = []
    for level in range(len(filters) - 1):
        x = block(x, level)
        skips.append(x)
        x = halved(x, level)  # (batch, height / 2, width / 2, filters of the level), rounded up
    x = block(x, len(filters) - 1)
    for level, skip in reversed(list(enumerate(skips))):
        x = layers.concatenate([skip, upsampled(x, skip, filters[level])])  # (…, 2 * count)
        x = block(x, level)
    return x


def double_convolution(x: Tensor, count: int, activation: Activation, normalization: Normalization) -> Any:
    """Return (batch, height, width, count): 3×3 convolution, normalisation and activation, twice."""
    for _ in range(2):
        x = layers.Conv2D(count, 3, padding="same", use_bias=normalization != "batch")(x)
        x = layers.Activation(activation)(normalize(normalization)(x))
    return x


def upsampled(x: Tensor, skip: Tensor, count: int) -> Any:
    """Return (batch, height, width, count) of the height and width of `skip`, which `x` has half of."""
    x = layers.Conv2DTranspose(count, 2, strides=2)(x)
    return x[:, : skip.shape[1], : skip.shape[2]]  # half of an odd number was rounded up

"""Images as pretrained networks take them: of their size, in colour, scaled as their weights want it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from kexp.core.constraints import InputType
from kexp.core.errors import InputError, shown
from kexp.core.pretrained_catalog import Scaling

# Of ImageNet: red, green, blue from 0 to 1, and the means of "caffe" blue first, from 0 to 255.
_MEANS, _DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BLUE_FIRST_MEANS = (103.939, 116.779, 123.68)


def image_input(
    input_shape: Sequence[int | None], image_size: tuple[int, int], dtype: InputType
) -> tuple[Any, Any]:
    """Return an input of raw images, and them in colour and of a size, with values from 0 to 255.

    Args:
        input_shape: (height, width, channels) of the raw images, with 1 channel, grey, or 3; a height or
            width of None may differ from image to image of different batches.
        image_size: (height, width) that they are resized to where they are of another.
        dtype: Of the input, "uint8" or "float32".

    Returns:
        The input, and (batch, height, width, 3) float32.

    Raises:
        InputError: The shape is not that of such images.
    """
    shape = tuple(input_shape)
    sizes_fit = len(shape) == 3 and all(size is None or size >= 1 for size in shape[:2])
    if not sizes_fit or shape[2] not in (1, 3):
        raise InputError(
            f"input_shape must be (height, width, 1 or 3) of raw images; received {shown(shape)}."
        )
    inputs = keras.Input(shape, dtype=dtype, name="images")
    x: Any = layers.Rescaling(1.0, name="as_floats")(inputs)  # (batch, height, width, channels) float32
    if shape[:2] != image_size:
        x = layers.Resizing(*image_size, interpolation="bilinear", antialias=True, name="resized")(x)
    if shape[2] == 1:
        x = layers.Concatenate(name="in_colour")([x, x, x])
    return inputs, x


def scaled_pixels(x: Any, scaling: Scaling) -> Any:
    """Return pixels as a network takes them.

    Args:
        x: (batch, height, width, 3) from 0 to 255, red first.
        scaling: As of `kexp.core.pretrained_catalog.PretrainedFacts`.

    Returns:
        The same shape.
    """
    if scaling == "none":
        return x
    if scaling == "lite":
        return layers.Rescaling(1 / 128, -127 / 128, name="scaled")(x)
    if scaling == "tf":
        return layers.Rescaling(1 / 127.5, -1.0, name="scaled")(x)
    if scaling == "caffe":
        return layers.Rescaling(1.0, [-mean for mean in _BLUE_FIRST_MEANS], name="scaled")(x[..., ::-1])
    deviations = np.array(_DEVIATIONS)
    scales, offsets = 1 / (255 * deviations), -np.array(_MEANS) / deviations
    return layers.Rescaling(scales.tolist(), offsets.tolist(), name="scaled")(x)

"""Inputs of images and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from kexp.core.constraints import InputType
from kexp.core.errors import InputError


def scaled_input(shape: tuple[int, ...], dtype: InputType) -> tuple[Any, Any]:
    """Return an input and what the network sees of it: bytes become numbers from 0 to 1.

    Args:
        shape: Of one sample.
        dtype: "uint8" inputs are divided by 255; "float32" inputs are taken as they come.
    """
    inputs = keras.Input(shape, dtype=dtype)
    return inputs, layers.Rescaling(1.0 / 255.0)(inputs) if dtype == "uint8" else inputs


def check_image_shape(shape: Sequence[int | None], name: str = "input_shape") -> None:
    """Raise an InputError if a shape is not that of an image, (height, width, channels)."""
    if len(shape) != 3 or any(size is None or size < 1 for size in shape):
        raise InputError(f"{name} must be (height, width, channels); received {tuple(shape)}.")

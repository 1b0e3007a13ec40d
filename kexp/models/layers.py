"""Blocks that several families share, as small closures over Keras layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from kexp.ranges import InputType, Normalization

__all__: list[str] = []


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

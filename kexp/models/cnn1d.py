"""Convolutional networks for time series: a fully convolutional one, and a residual one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from kexp.core.constraints import Activation, Normalization
from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.models.layers.dropout import drop
from kexp.models.layers.masking import masked_mean, masked_series, zeroed
from kexp.models.layers.normalization import normalize
from kexp.models.layers.output_layer import predictions

__all__ = ["fcn", "series_resnet"]


def fcn(
    input_shape: Sequence[int | None],
    outputs: int,
    *,
    filters: Sequence[int] = (128, 256, 128),
    kernel_sizes: Sequence[int] = (8, 5, 3),
    activation: Activation = "relu",
    normalization: Normalization = "batch",
    dropout: float = 0.0,
    output_scale: float | Sequence[float] = 1.0,
    output_offset: float | Sequence[float] = 0.0,
) -> keras.Model:
    """Build a fully convolutional network: convolution, normalisation, activation, thrice; then their mean.

    Wang, Yan and Oates 2017, "Time series classification from scratch with deep neural networks: a strong
    baseline". A step whose channels are all NaN is padding, at the end; more of it changes nothing.

    Args:
        input_shape: (steps, channels); steps may be None, for any number.
        outputs: Classes, as logits, or regression targets.
        filters: Filters of each convolution, default (128, 256, 128).
        kernel_sizes: Steps that each convolution sees, default (8, 5, 3); as many as filters.
        activation: After each convolution, default "relu".
        normalization: Before each activation: "none", "batch" (default) or "layer".
        dropout: Share of the last layer's inputs dropped, default 0, below 1.
        output_scale: What the outputs are multiplied by, default 1; for regression, the standard
            deviation of the targets.
        output_offset: What is added then, default 0; for regression, the mean of the targets.

    Returns:
        An uncompiled model, (batch, steps, channels) float32 to (batch, outputs) float32.

    Raises:
        InputError: The shape is another one, or filters and kernel_sizes are not as many.

    Example:
        >>> model = fcn((None, 12), 9)
        >>> model.output_shape, model.count_params()
        ((None, 9), 277641)
    """
    sizes = _checked(input_shape, filters, kernel_sizes)
    inputs = keras.Input(tuple(input_shape), dtype="float32")
    x, mask = masked_series(inputs)  # (batch, steps, channels), (batch, steps)
    convolve = _convolution(mask, normalization)
    for count, size in sizes:
        x = zeroed(layers.Activation(activation)(convolve(x, count, size)), mask)  # (batch, steps, count)
    x = drop(dropout)(masked_mean(x, mask))  # (batch, filters)
    return keras.Model(inputs, predictions(x, outputs, output_scale, output_offset), name="fcn")


def series_resnet(
    input_shape: Sequence[int | None],
    outputs: int,
    *,
    filters: Sequence[int] = (64, 128, 128),
    kernel_sizes: Sequence[int] = (8, 5, 3),
    activation: Activation = "relu",
    normalization: Normalization = "batch",
    dropout: float = 0.0,
    output_scale: float | Sequence[float] = 1.0,
    output_offset: float | Sequence[float] = 0.0,
) -> keras.Model:
    """Build a residual network for series: blocks of three convolutions, each added to what it saw.

    Wang, Yan and Oates 2017, "Time series classification from scratch with deep neural networks: a strong
    baseline". Into a block of another width the shortcut is a convolution of one step; it is normalised in
    any case. A step whose channels are all NaN is padding, at the end; more of it changes nothing.

    Args:
        input_shape: (steps, channels); steps may be None, for any number.
        outputs: Classes, as logits, or regression targets.
        filters: Filters of each block, default (64, 128, 128).
        kernel_sizes: Steps that each convolution of a block sees, default (8, 5, 3).
        activation: After each convolution and each sum, default "relu".
        normalization: After each convolution: "none", "batch" (default) or "layer".
        dropout: Share of the last layer's inputs dropped, default 0, below 1.
        output_scale: What the outputs are multiplied by, default 1; for regression, the standard
            deviation of the targets.
        output_offset: What is added then, default 0; for regression, the mean of the targets.

    Returns:
        An uncompiled model, (batch, steps, channels) float32 to (batch, outputs) float32.

    Raises:
        InputError: The shape is another one.

    Example:
        >>> model = series_resnet((None, 12), 9)
        >>> model.output_shape, model.count_params()
        ((None, 9), 512905)
    """
    _checked(input_shape)
    inputs = keras.Input(tuple(input_shape), dtype="float32")
    x, mask = masked_series(inputs)  # (batch, steps, channels), (batch, steps)
    convolve = _convolution(mask, normalization)

    def block(x: Tensor, count: int) -> Any:
        widens = x.shape[-1] != count
        shortcut = convolve(x, count, 1) if widens else normalize(normalization, mask)(x)
        for number, size in enumerate(kernel_sizes):
            if number:
                x = zeroed(layers.Activation(activation)(x), mask)
            x = convolve(x, count, size)  # (batch, steps, count)
        return zeroed(layers.Activation(activation)(layers.add([x, shortcut])), mask)

    for count in filters:
        x = block(x, count)
    x = drop(dropout)(masked_mean(x, mask))  # (batch, filters)
    return keras.Model(inputs, predictions(x, outputs, output_scale, output_offset), name="series_resnet")


def _convolution(mask: Tensor, normalization: Normalization) -> Callable[[Any, int, int], Any]:
    """Return a convolution and its normalisation as a function of a tensor, the filters and the size."""

    def convolve(x: Tensor, count: int, size: int) -> Any:
        x = layers.Conv1D(count, size, padding="same", use_bias=normalization != "batch")(x)
        return normalize(normalization, mask)(x)

    return convolve


def _checked(
    input_shape: Sequence[int | None], filters: Sequence[int] = (), kernel_sizes: Sequence[int] = ()
) -> list[tuple[int, int]]:
    if len(input_shape) != 2:
        raise InputError(f"input_shape must be (steps, channels); received {tuple(input_shape)}.")
    if len(filters) != len(kernel_sizes):
        raise InputError(
            f"filters and kernel_sizes must be as many; received {tuple(filters)} and {tuple(kernel_sizes)}."
        )
    return list(zip(filters, kernel_sizes, strict=True))

"""LITE for time series: ensembles of networks of a few thousand weights, beside filters drawn by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kexp.core.constraints import Activation, Normalization
from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor
from kexp.models.layers.dropout import drop
from kexp.models.layers.masking import masked_mean, masked_series, zeroed
from kexp.models.layers.normalization import normalize
from kexp.models.tabular.member_layers import MeanOf, MemberHeads, MemberMean

__all__ = ["PatternFilters", "lite"]

_CHANGE_SIZES = (2, 4, 8, 16, 32, 64)
_PEAK_SIZES = (4, 8, 16, 32, 64)


def lite(
    input_shape: Sequence[int | None],
    outputs: int,
    *,
    members: int = 5,
    filters: int = 32,
    kernel_size: int = 40,
    activation: Activation = "relu",
    normalization: Normalization = "batch",
    dropout: float = 0.0,
    mean_of: MeanOf = "values",
    output_scale: float | Sequence[float] = 1.0,
    output_offset: float | Sequence[float] = 0.0,
) -> keras.Model:
    """Build LITETime: an ensemble of small networks of convolutions, side by side in one network.

    Of each member, convolutions of three sizes see the series, beside filters that are not trained
    (`PatternFilters`); two depthwise separable convolutions, dilated by 2 and 4, follow, then the mean over
    the steps. The outputs are the mean of the members', by a last layer `MemberMean`;
    `kexp.objectives.ensemble` trains each member by itself. A step whose channels are all NaN is padding, at
    the end; more of it changes nothing.

    Args:
        input_shape: (steps, channels); steps may be None, for any number.
        outputs: Classes, as logits, or regression targets.
        members: How many, default 5; one alone is LITE.
        filters: Of each convolution of a member, default 32.
        kernel_size: Steps that the longest convolution sees, default 40, 4 or more; others a half, a quarter.
        activation: After each convolution, default "relu".
        normalization: Before each activation: "none", "batch" (default) or "layer".
        dropout: Share of the last layer's inputs dropped, default 0, below 1.
        mean_of: What predictions are the mean of, default "values"; with logits "classes" or "labels", whose
            probabilities have a mean. `kexp.models.member_mean` tells.
        output_scale: What the outputs are multiplied by, default 1; for regression, the standard
            deviation of the targets.
        output_offset: What is added then, default 0; for regression, the mean of the targets.

    Returns:
        An uncompiled model, (batch, steps, channels) float32 to (batch, outputs) float32.

    Raises:
        InputError: The shape is another one, or the longest convolution has no quarter.

    Source:
        Ismail-Fawaz, Devanne, Berretti, Weber and Forestier 2023, "LITE: Light Inception with boosTing
        tEchniques for time series classification". Of several channels the filters that are not trained see
        the sum.

    Example:
        >>> model = lite((None, 1), 2, members=1)
        >>> model.output_shape, model.count_params()
        ((None, 2), 10234)
    """
    if len(input_shape) != 2 or kernel_size < 4:
        raise InputError(
            f"input_shape must be (steps, channels) and kernel_size 4 or more; received {tuple(input_shape)} "
            f"and {kernel_size}."
        )
    inputs = keras.Input(tuple(input_shape), dtype="float32")
    x, mask = masked_series(inputs)  # (batch, steps, channels), (batch, steps)
    sizes = (kernel_size, kernel_size // 2, kernel_size // 4)
    convolved = [layers.Conv1D(members * filters, size, padding="same", use_bias=False)(x) for size in sizes]
    # (batch, steps, members, filters) of each size, and what is not trained for every member
    own = [layers.Reshape((-1, members, filters))(one) for one in convolved]
    patterns = layers.Activation("relu")(PatternFilters()(x))
    shared = layers.Reshape((-1, members, patterns.shape[-1]))(layers.Concatenate()([patterns] * members))

    def activated(x: Tensor) -> Any:
        merged = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)  # (batch, steps, members * filters)
        merged = layers.Activation(activation)(normalize(normalization, mask)(merged))
        return zeroed(merged, mask)

    x = activated(layers.Concatenate()([*own, shared]))
    for number, size in enumerate(sizes[1:]):
        x = activated(_separable(x, members, filters, size, dilation=2 ** (number + 1)))
    x = layers.Reshape((members, filters))(masked_mean(x, mask))
    x = MemberHeads(outputs, dtype="float32", name="logits")(drop(dropout)(x))  # (batch, members, outputs)
    if output_scale != 1.0 or output_offset != 0.0:
        x = layers.Rescaling(output_scale, output_offset, dtype="float32")(x)
    return keras.Model(inputs, MemberMean(mean_of, name="mean")(x), name="lite")


def _separable(x: Tensor, members: int, filters: int, size: int, dilation: int) -> Any:
    """Return (batch, steps, members, filters): each channel by itself over time, then those of a member."""
    width = x.shape[-1] // members
    # As of a member by itself: Keras counts the channels of all as inputs of one filter.
    start = keras.initializers.VarianceScaling((x.shape[-1] + 1) / (width + 1), "fan_avg", "uniform")
    x = layers.DepthwiseConv1D(
        size, padding="same", dilation_rate=dilation, use_bias=False, depthwise_initializer=start
    )(x)
    x = layers.Reshape((-1, members, width))(x)
    start = keras.initializers.VarianceScaling(members, "fan_avg", "uniform")
    return layers.EinsumDense("btmc,mcd->btmd", (None, members, filters), kernel_initializer=start)(x)


@keras.saving.register_keras_serializable(package="kexp")
class PatternFilters(keras.layers.Layer):
    """Convolutions that are not trained: of rises, falls and peaks of several lengths.

    Source:
        Ismail-Fawaz, Devanne, Weber and Forestier 2022, "Deep learning for time series classification using
        new hand-crafted convolution filters".

    Example:
        >>> PatternFilters()(ops.ones((2, 50, 3))).shape
        TensorShape([2, 50, 17])
    """

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, steps, 17) of (batch, steps, channels), whose sum the filters see."""
        kernel = ops.convert_to_tensor(_patterns()[:, None], dtype=inputs.dtype)
        return ops.conv(ops.sum(inputs, axis=-1, keepdims=True), kernel, padding="same")

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape[:-1], 2 * len(_CHANGE_SIZES) + len(_PEAK_SIZES))


def _patterns() -> np.ndarray:
    """Return (steps, 17): filters of several lengths in the middle of the longest one's steps."""
    patterns = []
    for size in _CHANGE_SIZES:
        rise = np.where(np.arange(size) % 2, 1.0, -1.0)
        patterns += [rise, -rise]
    for size in _PEAK_SIZES:
        slope = (np.arange(1, size // 4 + 1) / (size // 4)) ** 2
        hill = np.concatenate([slope, slope[::-1]])
        patterns.append(np.concatenate([-hill, 2 * hill, -hill]))
    longest = max(map(len, patterns))
    before = [(longest - 1) // 2 - (len(one) - 1) // 2 for one in patterns]
    padded = [
        np.pad(one, (left, longest - len(one) - left)) for one, left in zip(patterns, before, strict=True)
    ]
    return np.stack(padded, axis=1).astype(np.float32)

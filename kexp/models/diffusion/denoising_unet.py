"""The networks of diffusion models: a noisy image and its step in, an answer for each pixel out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import keras
from keras import layers, ops

from kexp.core.constraints import Activation, AtLeast, Between, check_value
from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor
from kexp.models.layers.attention import SelfAttention
from kexp.models.layers.dropout import drop
from kexp.models.unet import check_levels, down_and_up

__all__ = ["SinusoidalEmbedding", "diffusion_unet"]


def diffusion_unet(
    input_shape: Sequence[int],
    *,
    classes: int | None = None,
    filters: Sequence[int] = (32, 64, 96),
    patch: int = 1,
    attention: int = 1,
    heads: int = 4,
    activation: Activation = "swish",
    dropout: float = 0.0,
) -> keras.Model:
    """Build a U-Net that is told how noisy its images are, and of which class.

    Ho, Jain and Abbeel 2020, "Denoising diffusion probabilistic models", appendix B, with one residual block
    for each level on the way down and one on the way up. Where there are classes, one more label, `classes`,
    stands for none of them: a model that has seen it too can be guided (Ho and Salimans 2022,
    "Classifier-free diffusion guidance").

    Args:
        input_shape: (height, width, channels), of any height and width.
        classes: Number of classes, 1 or more; None (default) for a model without labels.
        filters: Filters of each level, default (32, 64, 96); each level after the first has half the height
            and width of the one before, rounded up.
        patch: Pixels in each direction that are one place of the first level, default 1; height and width are
            multiples of it. Two make a step on a CPU several times as fast.
        attention: How many of the lowest levels attend among all their pixels, default 1, from 0 to all.
        heads: Heads of the attention, default 4, which the filters of those levels are a multiple of.
        activation: Before each convolution of a block, default "swish".
        dropout: Share dropped within each block, default 0, below 1.

    Returns:
        An uncompiled model of [noisy (batch, height, width, channels) float32 in [-1, 1], time (batch,)
        float32 or int32, and, with classes, label (batch,) int32] to (batch, height, width, channels)
        float32: the noise, the image or what else it is trained for; see `diffusion_target`.

    Raises:
        InputError: The shape is another one, there is no level, or an argument is out of range.

    Example:
        >>> model = diffusion_unet((28, 28, 1), classes=10)
        >>> model.output_shape, [one.name for one in model.inputs]
        ((None, 28, 28, 1), ['noisy', 'time', 'label'])
    """
    _check(input_shape, filters, classes, patch, attention, heads)
    noisy = keras.Input(tuple(input_shape), dtype="float32", name="noisy")  # (batch, height, width, channels)
    time = keras.Input((), dtype="float32", name="time")
    label = None if classes is None else keras.Input((), dtype="int32", name="label")
    condition = _condition(time, label, classes, 4 * filters[0], activation)  # (batch, width)

    def block(x: Tensor, level: int) -> Any:
        x = residual_block(x, filters[level], condition, activation, dropout)
        return attended(x, heads) if level >= len(filters) - attention else x

    def halved(x: Tensor, level: int) -> Any:
        return layers.Conv2D(filters[level], 3, strides=2, padding="same")(x)

    x = layers.Conv2D(filters[0], 3, padding="same", name="stem")(_patched(noisy, patch))
    x = down_and_up(x, filters, block, halved)
    x = layers.Activation(activation)(group_normalization(x))
    x = layers.Conv2D(input_shape[-1] * patch**2, 3, padding="same", dtype="float32", name="answer")(x)
    x = _unpatched(x, patch)
    return keras.Model([noisy, time] if label is None else [noisy, time, label], x, name="diffusion_unet")


def _patched(x: Tensor, patch: int) -> Any:
    """Return (batch, height / patch, width / patch, channels · patch²), patches as channels."""
    if patch == 1:
        return x
    height, width, channels = x.shape[1:]
    x = ops.reshape(x, (-1, height // patch, patch, width // patch, patch, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, height // patch, width // patch, channels * patch**2))


def _unpatched(x: Tensor, patch: int) -> Any:
    """Return (batch, height · patch, width · patch, channels / patch²), the reverse."""
    if patch == 1:
        return x
    height, width, channels = x.shape[1:]
    x = ops.reshape(x, (-1, height, width, patch, patch, channels // patch**2))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, height * patch, width * patch, channels // patch**2))


def _check(
    input_shape: Sequence[int],
    filters: Sequence[int],
    classes: int | None,
    patch: int,
    attention: int,
    heads: int,
) -> None:
    check_levels(input_shape, filters)
    check_value("patch", patch, Annotated[int, AtLeast(1)])
    if any(side % patch for side in input_shape[:2]):
        raise InputError(
            f"patch must divide height and width, {input_shape[0]} and {input_shape[1]}; received {patch}."
        )
    check_value("classes", classes, Annotated[int, AtLeast(1)] | None)
    check_value("attention", attention, Annotated[int, Between(0, len(filters))])
    check_value("heads", heads, Annotated[int, AtLeast(1)])
    for count in filters[len(filters) - attention :]:
        if count % heads:
            raise InputError(
                f"filters of the levels with attention must be multiples of heads, {heads}; received {count}."
            )


def _condition(time: Tensor, label: Tensor, classes: int | None, width: int, activation: Activation) -> Any:
    """Return (batch, width), what all blocks are told: the time and, where there are labels, the class."""
    # In float32: half precision cannot count the steps.
    x = SinusoidalEmbedding(width, dtype="float32", name="sinusoid")(time)  # (batch, width)
    x = layers.Dense(width, activation, name="time_0")(x)
    x = layers.Dense(width, name="time_1")(x)
    if label is not None and classes is not None:
        x = x + layers.Embedding(classes + 1, width, name="classes")(label)
    return layers.Activation(activation)(x)


def residual_block(x: Tensor, count: int, condition: Tensor, activation: Activation, dropout: float) -> Any:
    """Return (batch, height, width, count): two 3×3 convolutions, the condition between them, added to `x`.

    Args:
        x: (batch, height, width, channels).
        count: Filters of both convolutions.
        condition: (batch, width); a dense layer makes of it a number for each filter.
        activation: Before each convolution.
        dropout: Share dropped before the second one.
    """
    skipped = x if x.shape[-1] == count else layers.Conv2D(count, 1)(x)
    x = layers.Activation(activation)(group_normalization(x))
    x = layers.Conv2D(count, 3, padding="same", use_bias=False)(x)
    x = x + layers.Dense(count)(condition)[:, None, None]  # (batch, 1, 1, count), with the bias
    x = drop(dropout)(layers.Activation(activation)(group_normalization(x)))
    return skipped + layers.Conv2D(count, 3, padding="same")(x)


def attended(x: Tensor, heads: int) -> Any:
    """Return (batch, height, width, count) of the same shape, to which each pixel's view of all is added."""
    height, width, count = x.shape[1:]
    pixels = layers.Reshape((height * width, count))(group_normalization(x))
    return x + layers.Reshape((height, width, count))(SelfAttention(heads)(pixels))


def group_normalization(x: Tensor) -> Any:
    """Return `x` normalised by groups of channels (Wu and He 2018, "Group normalization").

    Of 4 channels or more, since a group of one would take away what the condition adds; 8 groups at most.
    """
    return layers.GroupNormalization(math.gcd(x.shape[-1], 32) // 4 or 1)(x)


@keras.saving.register_keras_serializable(package="kexp")
class SinusoidalEmbedding(keras.layers.Layer):
    """Sines and cosines of a number, at frequencies from 1 down to nearly 1 / 10,000.

    Vaswani et al. 2017, "Attention is all you need", section 3.5, with all sines first.

    Args:
        width: Numbers of a vector, even, 2 or more.

    Raises:
        InputError: The width is odd or below 2.

    Example:
        >>> SinusoidalEmbedding(4)(ops.array([0.0, 999.0])).shape
        TensorShape([2, 4])
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if width < 2 or width % 2:
            raise InputError(f"width must be an even number, 2 or more; received {width!r}.")
        self.width = width

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, width) of (batch,) numbers."""
        half = self.width // 2
        speeds = ops.exp(ops.arange(half, dtype="float32") * (-math.log(10_000.0) / half))
        angles = ops.cast(inputs, "float32")[:, None] * speeds  # (batch, width / 2)
        return ops.cast(ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1), self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape, self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}

"""Convolutional networks for images: a plain convnet, and residual networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import layers

from kexp.core.constraints import Activation, InputType, Normalization
from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.models.layers.dropout import StochasticDepth, drop
from kexp.models.layers.inputs import scaled_input
from kexp.models.layers.normalization import normalize
from kexp.models.layers.output_layer import predictions

__all__ = ["cnn", "resnet", "resnet20", "resnet32", "resnet56"]


def cnn(
    input_shape: Sequence[int],
    outputs: int,
    *,
    filters: Sequence[int] = (32, 64),
    activation: Activation = "relu",
    normalization: Normalization = "none",
    padding: Literal["same", "valid"] = "same",
    head: Literal["flatten", "average"] = "flatten",
    dropout: float = 0.0,
    dtype: InputType = "uint8",
) -> keras.Model:
    """Build a plain convnet: 3×3 convolution, normalisation, activation, 2×2 maximum, for each stage.

    With `filters=(32, 64)`, `padding="valid"` and `dropout=0.5` it is the network of
    keras.io/examples/vision/mnist_convnet.

    Args:
        input_shape: (height, width, channels).
        outputs: Classes, as logits, or regression targets.
        filters: Filters of each stage, default (32, 64).
        activation: After each convolution, default "relu".
        normalization: Before each activation: "none" (default), "batch" or "layer".
        padding: "same" (default) keeps the size in the convolutions; "valid" loses a border of one.
        head: "flatten" (default) all positions, or their "average", which has fewer weights.
        dropout: Share of the head's inputs dropped, default 0, below 1.
        dtype: Of the inputs: "uint8" (default), divided by 255, or "float32" as they come.

    Returns:
        An uncompiled model, (batch, height, width, channels) to (batch, outputs) float32.

    Example:
        >>> model = cnn((28, 28, 1), 10, filters=(32, 64), padding="valid", dropout=0.5)
        >>> model.count_params()
        34826
    """
    inputs, x = scaled_input(tuple(input_shape), dtype)  # (batch, height, width, channels)
    for count in filters:
        x = layers.Conv2D(count, 3, padding=padding, use_bias=normalization != "batch")(x)
        x = layers.Activation(activation)(normalize(normalization)(x))
        x = layers.MaxPooling2D(2, padding=padding)(x)  # (batch, height / 2, width / 2, count)
    x = layers.Flatten()(x) if head == "flatten" else layers.GlobalAveragePooling2D()(x)
    x = predictions(drop(dropout)(x), outputs)  # (batch, outputs)
    return keras.Model(inputs, x, name="cnn")


def resnet(
    input_shape: Sequence[int],
    outputs: int,
    *,
    depth: int = 20,
    width: int = 16,
    activation: Activation = "relu",
    normalization: Normalization = "batch",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    dtype: InputType = "uint8",
) -> keras.Model:
    """Build a residual network for small images: three stages of two-layer blocks.

    The shortcut into a wider stage takes every second position and pads the channels with zeros,
    so it has no weights (option A of He et al. 2015, "Deep residual learning", section 4.2).

    Args:
        input_shape: (height, width, channels).
        outputs: Classes, as logits.
        depth: Weight layers, 6n + 2, default 20.
        width: Filters of the first stage, default 16; doubled in each of the next two.
        activation: Default "relu".
        normalization: After each convolution, default "batch".
        dropout: Share of the head's inputs dropped, default 0, below 1.
        stochastic_depth: Share of samples that skip the last block in training, default 0, below 1; it
            grows linearly over the blocks (Huang et al. 2016).
        dtype: Of the inputs: "uint8" (default), divided by 255, or "float32" as they come.

    Returns:
        An uncompiled model, (batch, height, width, channels) to (batch, outputs) float32.

    Raises:
        InputError: The depth is not 6n + 2, or stochastic_depth is not in its range.

    Example:
        >>> resnet((32, 32, 3), 10, depth=20).count_params()
        271098
    """
    if depth < 8 or (depth - 2) % 6:
        raise InputError(f"depth must be 6n + 2 such as 20, 32 or 56; received {depth}.")
    if not 0 <= stochastic_depth < 1:
        raise InputError(f"stochastic_depth must be from 0 to below 1; received {stochastic_depth!r}.")
    blocks = (depth - 2) // 6  # of a stage

    def convolution(x: Tensor, count: int, stride: int = 1) -> Any:
        bias = normalization != "batch"
        x = layers.Conv2D(count, 3, stride, padding="same", use_bias=bias, kernel_initializer="he_normal")(x)
        return normalize(normalization)(x)

    def block(x: Tensor, count: int, stride: int, skipped: float) -> Any:
        shortcut = x
        if stride > 1:
            grown = count - x.shape[-1]
            shortcut = x[:, ::stride, ::stride]
            shortcut = keras.ops.pad(shortcut, ((0, 0), (0, 0), (0, 0), (grown // 2, grown - grown // 2)))
        x = layers.Activation(activation)(convolution(x, count, stride))
        x = convolution(x, count)
        x = StochasticDepth(skipped)(x) if skipped else x
        return layers.Activation(activation)(layers.add([x, shortcut]))

    inputs, x = scaled_input(tuple(input_shape), dtype)  # (batch, height, width, channels)
    x = layers.Activation(activation)(convolution(x, width))
    for stage in range(3):
        for number in range(blocks):
            skipped = stochastic_depth * (stage * blocks + number + 1) / (3 * blocks)
            x = block(x, width * 2**stage, stride=2 if stage and not number else 1, skipped=skipped)
    x = drop(dropout)(layers.GlobalAveragePooling2D()(x))  # (batch, 4 * width)
    x = predictions(x, outputs)  # (batch, outputs)
    return keras.Model(inputs, x, name=f"resnet{depth}")


def resnet20(input_shape: Sequence[int], outputs: int, **options: Any) -> keras.Model:
    """Build ResNet-20 (He et al. 2015, table 6): 0.27 million parameters on CIFAR-10. See `resnet`."""
    return resnet(input_shape, outputs, depth=20, **options)


def resnet32(input_shape: Sequence[int], outputs: int, **options: Any) -> keras.Model:
    """Build ResNet-32 (He et al. 2015, table 6): 0.46 million parameters on CIFAR-10. See `resnet`."""
    return resnet(input_shape, outputs, depth=32, **options)


def resnet56(input_shape: Sequence[int], outputs: int, **options: Any) -> keras.Model:
    """Build ResNet-56 (He et al. 2015, table 6): 0.85 million parameters on CIFAR-10. See `resnet`."""
    return resnet(input_shape, outputs, depth=56, **options)

"""Transformers for images: ViT, and CCT, which learns from small data sets too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from kexp.core.constraints import Activation, InputType
from kexp.core.errors import InputError
from kexp.core.options import Unpack
from kexp.core.transformer_arguments import TransformerArguments
from kexp.models.layers.attention import SequencePooling, blocks
from kexp.models.layers.embeddings import LearnedPositions
from kexp.models.layers.inputs import scaled_input
from kexp.models.layers.output_layer import predictions
from kexp.models.layers.rotary_positions import check_width

__all__ = ["cct", "cct_2_3x2", "cct_7_3x1", "vit"]


def vit(
    input_shape: Sequence[int],
    outputs: int,
    *,
    patch: int = 4,
    width: int = 64,
    depth: int = 6,
    heads: int = 4,
    expansion: int = 2,
    activation: Activation = "gelu",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    dtype: InputType = "uint8",
    **block: Unpack[TransformerArguments],
) -> keras.Model:
    """Build a vision Transformer: square patches of an image are the steps of an encoder.

    Dosovitskiy et al. 2021, "An image is worth 16x16 words", with the average of the steps in place of a
    class token, which is simpler and no worse (Beyer, Zhai and Kolesnikov 2022, "Better plain ViT baselines
    for ImageNet-1k").

    Args:
        input_shape: (height, width, channels).
        outputs: Classes, as logits, or regression targets.
        patch: Side of a patch in pixels, which divides height and width, default 4.
        width: Numbers of a patch's vector, a multiple of heads, default 64.
        depth: Blocks, default 6.
        heads: Heads of each attention, default 4.
        expansion: Units between a block's two dense layers, as a multiple of the width, default 2.
        activation: Between them, default "gelu".
        dropout: Share dropped of the vectors and of what each branch adds, default 0, below 1.
        stochastic_depth: Share of samples that skip the last block in training, default 0, below 1; it
            grows linearly over the blocks (Huang et al. 2016).
        dtype: Of the inputs: "uint8" (default), divided by 255, or "float32" as they come.
        **block: How its blocks are built; see `kexp.TransformerArguments`.

    Returns:
        An uncompiled model, (batch, height, width, channels) to (batch, outputs) float32.

    Raises:
        InputError: The image cannot be cut into such patches, or the width does not fit the heads.

    Example:
        >>> model = vit((28, 28, 1), 10, patch=4, width=64, depth=6)
        >>> model.output_shape, model.count_params()
        ((None, 10), 204682)
    """
    check_width(width, heads, rotary=False)
    if any(side % patch for side in input_shape[:2]):
        raise InputError(f"patch must divide height and width, {tuple(input_shape[:2])}; received {patch}.")
    inputs, x = scaled_input(tuple(input_shape), dtype)  # (batch, height, width, channels)
    x = layers.Conv2D(width, patch, strides=patch, name="patches")(x)
    x = LearnedPositions(name="positions")(layers.Reshape((-1, width))(x))  # (batch, patches, width)
    x = blocks(
        x,
        depth,
        heads=heads,
        expansion=expansion,
        activation=activation,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
        **block,
    )
    x = layers.GlobalAveragePooling1D()(x)  # (batch, width)
    return keras.Model(inputs, predictions(x, outputs), name="vit")


def cct(
    input_shape: Sequence[int],
    outputs: int,
    *,
    kernel_size: int = 3,
    tokenizer_layers: int = 2,
    filters: int = 64,
    width: int = 128,
    depth: int = 2,
    heads: int = 2,
    expansion: int = 1,
    activation: Activation = "gelu",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    dtype: InputType = "uint8",
    **block: Unpack[TransformerArguments],
) -> keras.Model:
    """Build a compact convolutional Transformer: convolutions make the steps of an encoder.

    Hassani et al. 2021, "Escaping the big data paradigm with compact Transformers"; the defaults are its
    CCT-2/3×2. Each convolution is followed by a 3×3 maximum that halves height and width, and a softmax
    over the steps weighs them for the output. Unlike the authors' code a block normalises before its dense
    layers, not what it adds them to.

    Args:
        input_shape: (height, width, channels).
        outputs: Classes, as logits, or regression targets.
        kernel_size: Side of the convolutions in pixels, default 3.
        tokenizer_layers: Convolutions, default 2.
        filters: Of each convolution but the last, which has `width`; default 64.
        width: Numbers of a step's vector, a multiple of heads, default 128.
        depth: Blocks, default 2.
        heads: Heads of each attention, default 2.
        expansion: Units between a block's two dense layers, as a multiple of the width, default 1.
        activation: Between them, default "gelu".
        dropout: Share dropped of the vectors and of what each branch adds, default 0, below 1.
        stochastic_depth: Share of samples that skip the last block in training, default 0, below 1; it
            grows linearly over the blocks (Huang et al. 2016).
        dtype: Of the inputs: "uint8" (default), divided by 255, or "float32" as they come.
        **block: How its blocks are built; see `kexp.TransformerArguments`.

    Returns:
        An uncompiled model, (batch, height, width, channels) to (batch, outputs) float32.

    Raises:
        InputError: The width does not fit the heads, or stochastic_depth is not in its range.

    Example:
        >>> cct((32, 32, 3), 10).count_params()
        283722
    """
    check_width(width, heads, rotary=False)
    inputs, x = scaled_input(tuple(input_shape), dtype)  # (batch, height, width, channels)
    for count in (*(filters for _ in range(tokenizer_layers - 1)), width):
        x = layers.Conv2D(
            count,
            kernel_size,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            activation="relu",
        )(x)
        x = layers.MaxPooling2D(3, 2, padding="same")(x)  # (batch, height / 2, width / 2, count)
    x = LearnedPositions(name="positions")(layers.Reshape((-1, width))(x))  # (batch, steps, width)
    x = blocks(
        x,
        depth,
        heads=heads,
        expansion=expansion,
        activation=activation,
        dropout=dropout,
        stochastic_depth=stochastic_depth,
        **block,
    )
    x = SequencePooling(name="pooling")(x)  # (batch, width)
    return keras.Model(inputs, predictions(x, outputs), name="cct")


def cct_2_3x2(input_shape: Sequence[int], outputs: int, **options: Any) -> keras.Model:
    """Build CCT-2/3×2 (Hassani et al. 2021, table 2): 0.28 million parameters on CIFAR-10. See `cct`."""
    return cct(input_shape, outputs, tokenizer_layers=2, width=128, depth=2, heads=2, expansion=1, **options)


def cct_7_3x1(input_shape: Sequence[int], outputs: int, **options: Any) -> keras.Model:
    """Build CCT-7/3×1 (Hassani et al. 2021, table 2): 3.76 million parameters on CIFAR-10. See `cct`."""
    return cct(input_shape, outputs, tokenizer_layers=1, width=256, depth=7, heads=4, expansion=2, **options)

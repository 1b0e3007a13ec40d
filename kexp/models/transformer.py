"""Transformers: an encoder for series and texts, and a causal decoder, which `generate` samples from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import layers, ops

from kexp.core.constraints import Activation
from kexp.core.errors import InputError
from kexp.core.options import Unpack
from kexp.core.transformer_arguments import TransformerArguments
from kexp.models.layers.attention import SequencePooling, blocks
from kexp.models.layers.embeddings import LearnedPositions, TokenEmbedding
from kexp.models.layers.masking import masked_mean, masked_series, until_last
from kexp.models.layers.ngrams import ngram_scores
from kexp.models.layers.output_layer import predictions
from kexp.models.layers.rotary_positions import check_width

__all__ = ["transformer_decoder", "transformer_encoder"]


def transformer_encoder(
    input_shape: Sequence[int | None],
    outputs: int,
    *,
    width: int = 64,
    depth: int = 2,
    heads: int = 4,
    expansion: int = 4,
    activation: Activation = "gelu",
    dropout: float = 0.1,
    positions: Literal["rotary", "learned", "none"] = "rotary",
    pooling: Literal["average", "first", "attention"] = "average",
    vocabulary: int | None = None,
    ngrams: int = 0,
    output_scale: float | Sequence[float] = 1.0,
    output_offset: float | Sequence[float] = 0.0,
    **block: Unpack[TransformerArguments],
) -> keras.Model:
    """Build a Transformer encoder with one output for a whole series or text.

    Vaswani et al. 2017, "Attention is all you need", with normalisation before each branch (Xiong et al.
    2020, "On layer normalization in the Transformer architecture"). Padding stands at the end, and more of
    it changes nothing.

    Args:
        input_shape: (steps, channels) of series, where a step whose channels are all NaN is padding; with a
            vocabulary (steps,) of texts, where token 0 is padding. Steps may be None, for any number, if
            the positions are not learned.
        outputs: Classes, as logits, or regression targets.
        width: Numbers of a step's vector, a multiple of heads, default 64.
        depth: Blocks, default 2.
        heads: Heads of each attention, default 4.
        expansion: Units between a block's two dense layers, as a multiple of the width, default 4.
        activation: Between them, default "gelu".
        dropout: Share dropped of the vectors and of what each branch adds, default 0.1, below 1.
        positions: "rotary" (default; Su et al. 2021, "RoFormer"), "learned", or "none": order is not seen.
        pooling: What the output layer sees: the "average" (default) of the steps, the "first" of them, or
            their average weighted by "attention" (Hassani et al. 2021).
        vocabulary: Number of tokens, padding included; None (default) for series.
        ngrams: Tokens of the longest n-grams of a text whose linear scores are added to the outputs, default
            0: none (Cheng et al. 2016, "Wide & deep learning for recommender systems").
        output_scale: What the outputs are multiplied by, default 1; for regression, the standard
            deviation of the targets.
        output_offset: What is added then, default 0; for regression, the mean of the targets.
        **block: How its blocks are built; see `kexp.TransformerArguments`.

    Returns:
        An uncompiled model, (batch, steps, channels) float32 or (batch, steps) int32 to (batch, outputs)
        float32.

    Raises:
        InputError: The shape does not fit, the width does not fit the heads, or series are to have ngrams.

    Example:
        >>> model = transformer_encoder((None, 12), 9, width=32, depth=2)
        >>> model.output_shape, model.count_params()
        ((None, 9), 25993)
    """
    shape = tuple(input_shape)
    check_width(width, heads, positions == "rotary")
    if positions == "learned" and shape[0] is None:
        raise InputError('positions must be "rotary" or "none" where the number of steps is None.')
    inputs, x, valid = _series(shape, width) if vocabulary is None else _tokens(shape, vocabulary, width)
    wide = ngram_scores(inputs, valid, ngrams, outputs, vocabulary)
    x = LearnedPositions(name="positions")(x) if positions == "learned" else x  # (batch, steps, width)
    sizes: dict[str, Any] = {"heads": heads, "expansion": expansion, "dropout": dropout}
    rotary = positions == "rotary"
    x = blocks(x, depth, valid=valid, rotary=rotary, activation=activation, **sizes, **block)
    if pooling == "attention":
        x = SequencePooling(name="pooling")(x, valid=valid)  # (batch, width)
    else:
        x = masked_mean(x, valid) if pooling == "average" else x[:, 0]  # (batch, width)
    x = predictions(x, outputs, output_scale, output_offset, beside=wide)  # (batch, outputs)
    return keras.Model(inputs, x, name="transformer_encoder")


def transformer_decoder(
    context: int,
    vocabulary: int,
    *,
    width: int = 128,
    depth: int = 4,
    heads: int = 4,
    expansion: int = 4,
    activation: Activation = "gelu",
    dropout: float = 0.1,
    positions: Literal["rotary", "learned", "none"] = "rotary",
    **block: Unpack[TransformerArguments],
) -> keras.Model:
    """Build a causal language model: at each step, the logits of the token after it.

    A step sees itself and those before it alone, so padding belongs at the end. Embedding and output layer
    share one table (Press and Wolf 2017, "Using the output embedding to improve language models"). The
    model is that of Radford et al. 2019, "Language models are unsupervised multitask learners" (GPT-2),
    but for rotary positions. `kexp.models.generate` samples from it.

    Args:
        context: Steps.
        vocabulary: Number of tokens.
        width: Numbers of a step's vector, a multiple of heads, default 128.
        depth: Blocks, default 4.
        heads: Heads of each attention, default 4.
        expansion: Units between a block's two dense layers, as a multiple of the width, default 4.
        activation: Between them, default "gelu".
        dropout: Share dropped of the vectors and of what each branch adds, default 0.1, below 1.
        positions: "rotary" (default; Su et al. 2021, "RoFormer"), "learned" or "none".
        **block: How its blocks are built; see `kexp.TransformerArguments`.

    Returns:
        An uncompiled model, (batch, context) int32 to (batch, context, vocabulary) float32.

    Raises:
        InputError: The width does not fit the heads.

    Example:
        >>> model = transformer_decoder(64, 100, width=32, depth=2)
        >>> model.output_shape, model.count_params()
        ((None, 64, 100), 28480)
    """
    check_width(width, heads, positions == "rotary")
    inputs = keras.Input((context,), dtype="int32")
    # In float32, since the same table gives the logits.
    embedding = TokenEmbedding(vocabulary, width, dtype="float32", name="tokens")
    x = embedding(inputs)  # (batch, context, width)
    x = LearnedPositions(name="positions")(x) if positions == "learned" else x
    x = blocks(
        x,
        depth,
        heads=heads,
        expansion=expansion,
        rotary=positions == "rotary",
        causal=True,
        activation=activation,
        dropout=dropout,
        **block,
    )
    return keras.Model(inputs, embedding(x, reverse=True), name="transformer_decoder")


def _series(shape: tuple[int | None, ...], width: int) -> tuple[Any, Any, Any]:
    if len(shape) != 2:
        raise InputError(f"input_shape must be (steps, channels) without a vocabulary; received {shape}.")
    inputs = keras.Input(shape, dtype="float32")
    x, valid = masked_series(inputs)  # (batch, steps, channels), (batch, steps)
    return inputs, layers.Dense(width, name="project")(x), valid


def _tokens(shape: tuple[int | None, ...], vocabulary: int, width: int) -> tuple[Any, Any, Any]:
    if len(shape) != 1:
        raise InputError(f"input_shape must be (steps,) with a vocabulary; received {shape}.")
    inputs = keras.Input(shape, dtype="int32")
    x = TokenEmbedding(vocabulary, width, name="tokens")(inputs)  # (batch, steps, width)
    return inputs, x, until_last(ops.not_equal(inputs, 0))

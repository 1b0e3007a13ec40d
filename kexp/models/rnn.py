"""Recurrent networks for series and texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import layers, ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.models.layers.dropout import drop
from kexp.models.layers.masking import masked_mean, masked_series, until_last, window_moments
from kexp.models.layers.ngrams import ngram_scores
from kexp.models.layers.output_layer import predictions

__all__ = ["rnn"]

CELLS = {"simple": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}


def rnn(
    input_shape: Sequence[int | None],
    outputs: int,
    *,
    cell: Literal["simple", "lstm", "gru"] = "lstm",
    units: Sequence[int] = (64,),
    bidirectional: bool = False,
    dropout: float = 0.0,
    head: Literal["last", "average", "max"] = "last",
    vocabulary: int | None = None,
    embedding: int = 64,
    skip: int = 0,
    ngrams: int = 0,
    window_scaling: bool = False,
    output_scale: float | Sequence[float] = 1.0,
    output_offset: float | Sequence[float] = 0.0,
) -> keras.Model:
    """Build a recurrent network with one output for a whole series or text.

    Padding stands at the end, and more of it changes nothing.

    Args:
        input_shape: (steps, channels) of series, where a step whose channels are all NaN is padding; with a
            vocabulary (steps,) of texts, where token 0 is padding. Steps may be None, for any number.
        outputs: Classes, as logits, or regression targets.
        cell: "lstm" (default; Hochreiter and Schmidhuber 1997, "Long short-term memory"), "gru" (Cho et al.
            2014, "Learning phrase representations using RNN encoder-decoder") or "simple" (Elman 1990).
        units: Units of each layer, default (64,).
        bidirectional: Whether each layer has as many units again that go from the end to the beginning,
            default False (Schuster and Paliwal 1997, "Bidirectional recurrent neural networks").
        dropout: Share dropped of what each layer passes on, default 0, below 1.
        head: What the output layer sees: the "last" step of each direction (default), or the "average" or
            "max" of all.
        vocabulary: Number of tokens, padding included; None (default) for series.
        embedding: Numbers of a token's vector, default 64.
        skip: Last steps of a series that the output layer sees beside the last recurrent one, default 0: a
            linear autoregression as a part of the network (Lai et al. 2018, "Modeling long- and short-term
            temporal patterns with deep neural networks").
        ngrams: Tokens of the longest n-grams of a text whose linear scores are added to the outputs, default
            0: none (Cheng et al. 2016, "Wide & deep learning for recommender systems").
        window_scaling: Whether each series is brought to mean 0 and deviation 1 by itself, and the outputs
            back by those of its first channel (Kim et al. 2022, "Reversible instance normalization"),
            default False. It takes the place of the output scale and offset.
        output_scale: What the outputs are multiplied by, default 1; for regression, the standard
            deviation of the targets.
        output_offset: What is added then, default 0; for regression, the mean of the targets.

    Returns:
        An uncompiled model, (batch, steps, channels) float32 or (batch, steps) int32 to (batch, outputs)
        float32.

    Raises:
        InputError: The shape does not fit, no layer is left, or an argument is not one of such inputs.

    Example:
        >>> model = rnn((None, 12), 9, cell="gru", units=(32,), bidirectional=True)
        >>> model.output_shape, model.count_params()
        ((None, 9), 9417)
    """
    shape = tuple(input_shape)
    _check(shape, units, vocabulary, skip, window_scaling)
    inputs, x, mask = _series(shape) if vocabulary is None else _tokens(shape, vocabulary, embedding)
    if window_scaling:
        mean, deviation = window_moments(x, mask)  # (batch, 1, channels)
        x = (x - mean) / deviation
    wide = ngram_scores(inputs, mask, ngrams, outputs, vocabulary)
    series, walked = x, with_first(mask)
    for number, count in enumerate(units, start=1):
        sequences = head != "last" or number < len(units)
        layer: Any = CELLS[cell](count, return_sequences=sequences)
        layer = layers.Bidirectional(layer) if bidirectional else layer
        x = layer(x, mask=walked)  # (batch, steps, units), twice as wide in both directions
        x = drop(dropout)(x) if number < len(units) else x
    x = drop(dropout)(_pooled(x, mask, head))  # (batch, units)
    if skip:
        x = ops.concatenate([x, layers.Flatten()(series[:, -skip:])], axis=-1)  # (batch, units + steps)
    x = predictions(x, outputs, output_scale, output_offset, beside=wide)
    if window_scaling:
        x = x * deviation[:, 0, :1] + mean[:, 0, :1]
    return keras.Model(inputs, x, name=f"{cell}_rnn")


def _check(
    shape: tuple[int | None, ...],
    units: Sequence[int],
    vocabulary: int | None,
    skip: int,
    window_scaling: bool,
) -> None:
    if not units:
        raise InputError("units must be those of one layer or more; received none.")
    if window_scaling and vocabulary is not None:
        raise InputError("window_scaling must be False with a vocabulary; tokens have no scale.")
    if skip and (vocabulary is not None or shape[0] is None or shape[0] < skip):
        raise InputError(
            f"skip must be 0, or steps of series that have as many; received {skip} for {shape}."
        )


def _pooled(x: Tensor, mask: Tensor, head: str) -> Any:
    """Return (batch, units) of (batch, steps, units), or of what is the last step already."""
    if head == "average":
        return masked_mean(x, mask)
    if head == "max":
        return ops.max(ops.where(ops.expand_dims(mask, -1), x, -1.0), axis=1)  # no cell gives less than -1
    return x


def with_first(mask: Tensor) -> Any:
    """Return (batch, steps) bool, the mask with the first step of every sample.

    cuDNN refuses a batch with a sample of padding alone, so that such a one counts as a step of nothing.
    """
    return ops.concatenate([ops.ones_like(mask[:, :1]), mask[:, 1:]], axis=1)


def _series(shape: tuple[int | None, ...]) -> tuple[Any, Any, Any]:
    if len(shape) != 2:
        raise InputError(f"input_shape must be (steps, channels) without a vocabulary; received {shape}.")
    inputs = keras.Input(shape, dtype="float32")
    return inputs, *masked_series(inputs)


def _tokens(shape: tuple[int | None, ...], vocabulary: int, embedding: int) -> tuple[Any, Any, Any]:
    if len(shape) != 1:
        raise InputError(f"input_shape must be (steps,) with a vocabulary; received {shape}.")
    inputs = keras.Input(shape, dtype="int32")
    return inputs, layers.Embedding(vocabulary, embedding)(inputs), until_last(ops.not_equal(inputs, 0))

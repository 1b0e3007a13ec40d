"""Networks for sounds: convolutions over a spectrogram, and recurrent layers behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import layers

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.models.layers.dropout import drop
from kexp.models.layers.normalization import normalize
from kexp.models.layers.output_layer import predictions
from kexp.models.layers.spectrogram import LogMelSpectrogram, SpectrogramMasks

__all__ = ["crnn", "ds_cnn"]

_POOLED = 2  # frames and bands that each stage makes one of


def ds_cnn(
    input_shape: Sequence[int],
    outputs: int,
    *,
    sample_rate: int,
    filters: int = 64,
    blocks: int = 4,
    bands: int = 40,
    frame_seconds: float = 0.032,
    hop_seconds: float = 0.01,
    masks: float = 0.0,
    dropout: float = 0.0,
) -> keras.Model:
    """Build a depthwise separable convolutional network over the mel spectrogram of a sound.

    DS-CNN of Zhang, Suda, Lai and Chandra 2017, "Hello Edge: keyword spotting on microcontrollers": a
    convolution of 10 frames by 4 bands, then blocks of a depthwise 3×3 and a pointwise one, each normalised,
    and the average of all frames. Here the input is the spectrogram in decibels, theirs its cosine transform,
    which says with its order what bands say with their place: so bands are not averaged, as they are there.

    Args:
        input_shape: (steps, 1), steps being samples.
        outputs: Classes, as logits.
        sample_rate: Samples a second.
        filters: Filters of each convolution, default 64.
        blocks: Depthwise separable convolutions, default 4.
        bands: Bands of the mel scale, default 40.
        frame_seconds: Length of a frame of the spectrogram, default 0.032.
        hop_seconds: From one frame to the next, default 0.01.
        masks: Widest stretch of frames and of bands masked in training, as a share of all; default 0.
        dropout: Share of the last layer's inputs dropped, default 0, below 1.

    Returns:
        An uncompiled model, (batch, steps, 1) float32, NaN being silence, to (batch, outputs) float32.

    Raises:
        InputError: The shape is none of sounds, or too short for a frame.

    Example:
        >>> model = ds_cnn((8000, 1), 10, sample_rate=8000)
        >>> model.output_shape, model.count_params()
        ((None, 10), 36362)
    """
    inputs, x = _spectrogram(input_shape, sample_rate, bands, frame_seconds, hop_seconds, masks)
    x = layers.Conv2D(filters, (10, 4), strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(normalize("batch")(x))
    for _ in range(blocks):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(normalize("batch")(x))
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.ReLU()(normalize("batch")(x))
    x = layers.GlobalAveragePooling1D()(layers.Reshape((x.shape[1], x.shape[2] * filters))(x))
    return keras.Model(inputs, predictions(drop(dropout)(x), outputs), name="ds_cnn")


def crnn(
    input_shape: Sequence[int],
    outputs: int,
    *,
    sample_rate: int,
    filters: Sequence[int] = (32, 64),
    units: int = 64,
    cell: Literal["gru", "lstm"] = "gru",
    answers: Literal["sound", "frame"] = "sound",
    bands: int = 40,
    frame_seconds: float = 0.032,
    hop_seconds: float = 0.01,
    masks: float = 0.0,
    dropout: float = 0.0,
) -> keras.Model:
    """Build a convolutional recurrent network over the mel spectrogram of a sound.

    Convolutions of 3×3, normalised, halve the bands, and the first one the frames too; a recurrent layer
    reads the frames in both directions (Choi, Fazekas, Sandler and Cho 2017, "Convolutional recurrent neural
    networks for music classification"; Amodei et al. 2016, "Deep Speech 2", for the transcription of speech).

    Args:
        input_shape: (steps, 1), steps being samples.
        outputs: Classes or tokens, as logits.
        sample_rate: Samples a second.
        filters: Filters of each convolution, default (32, 64).
        units: Of the recurrent layer in each direction, default 64.
        cell: "gru" (default) or "lstm".
        answers: Of the whole "sound" (default), from the mean of its frames, or of each "frame".
        bands: Bands of the mel scale, default 40.
        frame_seconds: Length of a frame of the spectrogram, default 0.032.
        hop_seconds: From one frame to the next, default 0.01.
        masks: Widest stretch of frames and of bands masked in training, as a share of all; default 0.
        dropout: Share of the last layer's inputs dropped, default 0, below 1.

    Returns:
        An uncompiled model, (batch, steps, 1) float32, NaN being silence, to (batch, outputs) float32, or
        (batch, frames, outputs).

    Raises:
        InputError: The shape is none of sounds, or too short for a frame.

    Example:
        >>> crnn((8000, 1), 10, sample_rate=8000).output_shape
        (None, 10)
        >>> crnn((8000, 1), 30, sample_rate=8000, answers="frame").output_shape
        (None, 49, 30)
    """
    inputs, x = _spectrogram(input_shape, sample_rate, bands, frame_seconds, hop_seconds, masks)
    for number, count in enumerate(filters):
        strides = (1 if number else _POOLED, _POOLED)
        x = layers.Conv2D(count, 3, strides=strides, padding="same", use_bias=False)(x)
        x = layers.ReLU()(normalize("batch")(x))  # (batch, frames, bands, count)
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    layer = {"gru": layers.GRU, "lstm": layers.LSTM}[cell]
    x = layers.Bidirectional(layer(units, return_sequences=True))(x)  # (batch, frames, 2 × units)
    if answers == "sound":
        x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, predictions(drop(dropout)(x), outputs), name="crnn")


def _spectrogram(
    input_shape: Sequence[int],
    sample_rate: int,
    bands: int,
    frame_seconds: float,
    hop_seconds: float,
    masks: float,
) -> tuple[Tensor, Any]:
    """Return the input, and its spectrogram as (batch, frames, bands, 1)."""
    shape = tuple(input_shape)
    if len(shape) != 2 or shape[1] != 1 or shape[0] is None:
        raise InputError(
            f"input_shape must be (steps, 1), of sounds of one length; received {shape}, so give "
            "dataset.spec.input_shape of sounds."
        )
    layer = LogMelSpectrogram(sample_rate, bands, frame_seconds, hop_seconds)
    if shape[0] < layer.frame:
        raise InputError(
            f"input_shape={shape}: a frame has {layer.frame} samples, expected as many steps or more; give "
            "longer sounds, or a smaller frame_seconds."
        )
    inputs = keras.Input(shape, dtype="float32")
    x = layer(inputs)
    return inputs, SpectrogramMasks(masks, masks)(x) if masks else x

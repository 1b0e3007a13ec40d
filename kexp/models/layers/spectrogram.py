"""Spectrograms of sounds, as layers: the mel scale, and masks over it while training."""

from __future__ import annotations

from typing import Annotated, Any

import keras
import numpy as np
from keras import ops

from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor

__all__ = ["LogMelSpectrogram", "SpectrogramMasks"]

_LEAST_POWER = 1e-10
_LOWEST_HZ = 60.0


@keras.saving.register_keras_serializable(package="kexp")
class LogMelSpectrogram(keras.layers.Layer):
    """The mel spectrogram of sounds in decibels below its loudest place, from 0 (`range_db` below it) to 1.

    The scale is that of `keras.layers.MelSpectrogram`. Other than there the loudest place is that of each
    sound, not of the batch, so that a prediction does not depend on others; and the Fourier transform is a
    product with its matrix, which every format of export has. A sound twice as loud has the same spectrogram.

    Args:
        sample_rate: Samples a second.
        bands: Bands of the mel scale, from 60 Hz to half of the sample rate; default 40, 2 or more.
        frame_seconds: Length of a frame, default 0.032; a Hann window is put over it.
        hop_seconds: From one frame to the next, default 0.01.
        range_db: Decibels below the loudest place that are told apart, default 60, above 0.

    Raises:
        InputError: An argument is out of its range, or bands are more than the frequencies of a frame.

    Example:
        >>> layer = LogMelSpectrogram(8000)
        >>> sounds = np.sin(np.arange(8000) * 2 * np.pi * 440 / 8000)[None, :, None]  # 440 Hz
        >>> spectrogram = layer(sounds.astype("float32"))
        >>> spectrogram.shape, int(np.argmax(spectrogram[0, 50]))  # (batch, frames, bands, 1)
        (TensorShape([1, 97, 40, 1]), 8)
    """

    def __init__(
        self,
        sample_rate: int,
        bands: int = 40,
        frame_seconds: float = 0.032,
        hop_seconds: float = 0.01,
        range_db: float = 60.0,
        **options: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **options})  # half precision has too few digits for powers
        check_value("sample_rate", sample_rate, Annotated[int, AtLeast(1)])
        check_value("bands", bands, Annotated[int, AtLeast(2)])
        for name, value in (("frame_seconds", frame_seconds), ("hop_seconds", hop_seconds)):
            check_value(name, value, Annotated[float, Between(1 / sample_rate, 10)])
        check_value("range_db", range_db, Annotated[float, AtLeast(1.0)])
        self.sample_rate, self.bands, self.range_db = sample_rate, bands, range_db
        self.frame_seconds, self.hop_seconds = frame_seconds, hop_seconds
        self.frame, self.hop = round(frame_seconds * sample_rate), round(hop_seconds * sample_rate)
        if bands > self.frame // 2 or sample_rate / 2 <= _LOWEST_HZ:
            raise InputError(
                f"bands={bands}: a frame of {self.frame} samples has {self.frame // 2} frequencies, expected "
                "as many bands at most, and a rate above 120; give fewer bands or longer frames."
            )
        self._transform = fourier_matrix(self.frame)
        self._mel = mel_matrix(sample_rate, self.frame, bands)

    def call(self, sounds: Tensor) -> Any:
        """Return (batch, frames, bands, 1) float32 of (batch, steps, 1) sounds, whose NaN are silence."""
        sounds = ops.where(ops.isnan(sounds), 0.0, sounds)
        # As loud as can be before it is squared, so that quiet sounds keep their digits.
        peak = ops.max(ops.abs(sounds), axis=(1, 2), keepdims=True)
        sounds = sounds / ops.maximum(peak, _LEAST_POWER)
        parts = ops.conv(sounds, self._transform[:, None, :], strides=self.hop, padding="valid")
        power = ops.square(parts[..., : self.frame // 2 + 1]) + ops.square(parts[..., self.frame // 2 + 1 :])
        decibels = ops.log10(ops.maximum(ops.matmul(power, self._mel), _LEAST_POWER)) * 10
        below = decibels - ops.max(decibels, axis=(1, 2), keepdims=True)
        return ops.expand_dims(ops.maximum(1 + below / self.range_db, 0.0), -1)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        steps = input_shape[1]
        frames = None if steps is None else 1 + (steps - self.frame) // self.hop
        return (input_shape[0], frames, self.bands, 1)

    def get_config(self) -> dict[str, Any]:
        names = ("sample_rate", "bands", "frame_seconds", "hop_seconds", "range_db")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="kexp")
class SpectrogramMasks(keras.layers.Layer):
    """Bands and frames set to 0 in training: one stretch of each, at random places (Park et al. 2019).

    That is SpecAugment without the warping of time, of which they found that it helps least.

    Args:
        bands: Widest stretch of bands, as a share of all; default 0.2, from 0 to 1.
        frames: Widest stretch of frames, likewise; default 0.2.
        seed: Of the draws; None (default) follows `keras.utils.set_random_seed`.

    Example:
        >>> spectrogram = np.ones((2, 50, 40, 1), "float32")
        >>> layer = SpectrogramMasks(0.5, 0.5, seed=1)
        >>> bool((layer(spectrogram, training=True) == spectrogram).numpy().all())
        False
        >>> bool((layer(spectrogram) == spectrogram).numpy().all())
        True
    """

    def __init__(
        self, bands: float = 0.2, frames: float = 0.2, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        for name, value in (("bands", bands), ("frames", frames)):
            check_value(name, value, Annotated[float, Between(0, 1)])
        self.bands, self.frames, self.seed = bands, frames, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, spectrograms: Tensor, training: bool = False) -> Any:
        """Return (batch, frames, bands, 1) of the same shape."""
        if not training:
            return spectrograms
        kept = ops.expand_dims(self._kept(spectrograms, 1, self.frames), 2)
        kept = ops.logical_and(kept, ops.expand_dims(self._kept(spectrograms, 2, self.bands), 1))
        return ops.where(ops.expand_dims(kept, -1), spectrograms, ops.zeros_like(spectrograms))

    def _kept(self, spectrograms: Tensor, axis: int, widest: float) -> Any:
        """Return (batch, places) of what is outside of one stretch of an axis."""
        batch, count = ops.shape(spectrograms)[0], ops.shape(spectrograms)[axis]
        places = ops.cast(ops.arange(count), "float32")[None]
        whole = ops.cast(count, "float32")
        width, start = (
            keras.random.uniform((batch, 1), dtype="float32", seed=self.generator) for _ in range(2)
        )
        width = ops.floor(width * widest * whole + 0.5)
        start = ops.floor(start * (whole - width + 1))
        return ops.logical_or(places < start, places >= start + width)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bands": self.bands, "frames": self.frames, "seed": self.seed}


def fourier_matrix(frame: int) -> np.ndarray:
    """Return (frame, 2 × frequencies) float32 in a Hann window: cosines of all frequencies, then sines.

    Args:
        frame: Samples of a frame.
    """
    places = np.arange(frame)
    angles = 2 * np.pi * np.outer(places, np.arange(frame // 2 + 1)) / frame
    window = 0.5 - 0.5 * np.cos(2 * np.pi * places / frame)
    return (window[:, None] * np.concatenate([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def mel_matrix(sample_rate: int, frame: int, bands: int) -> np.ndarray:
    """Return (frequencies, bands) float32: triangles of the mel scale, each with a peak of 1.

    Args:
        sample_rate: Samples a second.
        frame: Samples of a frame, which has half as many frequencies, and one more.
        bands: Of the scale, from 60 Hz to half of the rate.

    Example:
        >>> mel_matrix(8000, 256, 40).shape
        (129, 40)
    """

    def mel(hertz: Any) -> Any:  # of the Hidden Markov Model Toolkit
        return 2595 * np.log10(1 + np.asarray(hertz) / 700)

    found = mel(np.linspace(0, sample_rate / 2, frame // 2 + 1))[:, None]
    edges = np.linspace(mel(_LOWEST_HZ), mel(sample_rate / 2), bands + 2)
    rising = (found - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - found) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(rising, falling))
    weights[0] = 0  # no frequency at all
    return weights.astype(np.float32)

"""A linear model on the spectrogram of sounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from kexp.classical.linear_method import LinearMethod
from kexp.data.dataset import Dataset, DatasetSpec, Inputs, Split, single_array

_BANDS, _STRETCHES = 32, 8
_FRAME_S, _RANGE_DB = 0.032, 60.0


class LinearSpectrogram(LinearMethod):
    """Logistic or ridge regression on the mel spectrogram in decibels, averaged over eight stretches of a
    sound.

    A stretch is an eighth of what the sound has before its padding, so that speed makes no difference.
    """

    name: ClassVar[str] = "linear_model_on_spectrogram"
    on: ClassVar[str] = "the spectrogram"

    def takes(self, data: Dataset) -> bool:
        """Return whether the inputs are sounds."""
        return data.spec.sample_rate is not None

    def features(self, data: Dataset) -> int:
        """Return the bands of all stretches."""
        return _BANDS * _STRETCHES

    def encoded(self, train: Split, spec: DatasetSpec) -> tuple[Any, Callable[[Inputs], Any]]:
        """Return (samples, features) float32 of training, standardised, and what gives them for others."""
        assert spec.sample_rate is not None
        rate = spec.sample_rate
        found = _spectra(train.inputs, rate)
        mean, deviation = found.mean(axis=0), np.maximum(found.std(axis=0), 1e-6)
        return (found - mean) / deviation, lambda inputs: (_spectra(inputs, rate) - mean) / deviation


def _spectra(inputs: Inputs, rate: int) -> np.ndarray:
    """Return (samples, features) float32 of sounds."""
    from kexp.models.layers.spectrogram import mel_matrix

    frame = max(2 * _BANDS, round(_FRAME_S * rate))
    mel = mel_matrix(rate, frame, _BANDS)
    return np.stack([_of_sound(sound[:, 0], rate, frame, mel) for sound in np.asarray(single_array(inputs))])


def _of_sound(sound: np.ndarray, rate: int, frame: int, mel: np.ndarray) -> np.ndarray:
    """Return the (features,) decibels of a sound below its loudest place."""
    from scipy.signal import spectrogram

    real = np.flatnonzero(~np.isnan(sound))
    heard = sound[: real[-1] + 1] if len(real) else np.zeros(1, np.float32)
    # As many frames as there are stretches at least.
    padded = np.pad(heard, (0, max(0, frame * (_STRETCHES + 1) // 2 + 1 - len(heard))))
    power = spectrogram(padded, rate, nperseg=frame, noverlap=frame // 2)[2].T @ mel
    decibels = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-30), 10 ** (-_RANGE_DB / 10)))
    parts = np.array_split(decibels, _STRETCHES)
    return np.concatenate([part.mean(axis=0) for part in parts]).astype(np.float32)

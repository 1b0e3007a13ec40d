"""Sounds in arrays, which have a rate once somebody says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.audio_arguments import AudioOptions
from kexp.data.dataset import Dataset, Source
from kexp.data.plain_arrays import plain_array
from kexp.data.sources.sound_clips import clips_of

_FULL_SCALE = 32768.0  # of 16 bits


def with_rate(read: Source, options: AudioOptions) -> Source:
    """Return what was read as sounds of one length, where a rate is known of its arrays.

    Args:
        read: Parts of any kind; those of sound files have their rate and length already.
        options: The rate, unless the source has one, and the length.

    Raises:
        InputError: There is no rate where a length is asked for, two rates, or the arrays are no sounds.

    Example:
        >>> arrays = Source("tones", {"train": (np.zeros((3, 8), np.int16), np.arange(3))})
        >>> sounds = with_rate(arrays, AudioOptions(sample_rate=8, clip_seconds=0.5))
        >>> sounds.parts["train"][0].shape, sounds.sample_rate
        ((3, 4, 1), 8)
    """
    rate = read.sample_rate or options.sample_rate
    asked = {name: value for name, value in vars(options).items() if value is not None}
    if rate is None:
        if asked:
            argument, value = next(iter(asked.items()))
            raise InputError(
                f"{argument}={shown(value)}: data {read.name!r} are no sounds, which have a rate; leave "
                f"{argument} out, or give sample_rate too."
            )
        return read
    if options.sample_rate not in (None, rate):
        raise InputError(
            f"sample_rate={options.sample_rate}: data {read.name!r} say they have {rate} samples a second; "
            "leave sample_rate out, or resample them."
        )
    if _is_cut(read, options, rate):
        return replace(read, sample_rate=rate)
    if options.hop_seconds is not None:
        raise InputError(
            f"hop_seconds={options.hop_seconds:g}: only files are read in several clips; leave it out."
        )
    sounds = {part: _sounds(read.name, part, x) for part, (x, _) in read.parts.items()}
    together = [sound for each in sounds.values() for sound in each]
    clips = clips_of(together, rate, options)
    parts, start = {}, 0
    for part, each in sounds.items():
        parts[part] = (clips.samples[start : start + len(each)], read.parts[part][1])
        start += len(each)
    return replace(read, parts=parts, sample_rate=rate, notes=(*read.notes, *clips.notes))


def sample_rate_of(data: Dataset) -> int:
    """Return the samples a second of sounds.

    Args:
        data: A data set.

    Raises:
        InputError: It has no sounds.

    Example:
        >>> from kexp.data import load
        >>> sample_rate_of(load("telephone_keys"))
        8000
    """
    if data.spec.sample_rate is None:
        raise InputError(
            f"data {data.name!r} have no sample rate, expected sounds; give sample_rate if they are "
            "some, or other data."
        )
    return data.spec.sample_rate


def scaled_samples(array: np.ndarray) -> np.ndarray:
    """Return samples of 16 bits as float32 from -1 to 1, and others as they are."""
    return array.astype(np.float32) / np.float32(_FULL_SCALE) if array.dtype == np.int16 else array


def _is_cut(read: Source, options: AudioOptions, rate: int) -> bool:
    """Return whether a source has clips of the length that was asked for already."""
    x = read.parts["train"][0]
    if not (isinstance(x, np.ndarray) and x.dtype == np.float32 and x.ndim == 3 and x.shape[2] == 1):
        return False
    return options.clip_seconds is None or x.shape[1] == max(1, round(options.clip_seconds * rate))


def _sounds(name: str, part: str, x: Any) -> list[np.ndarray]:
    """Return (samples,) float32 of each sound, without what is padding."""
    title = f"data {name!r}: the {part} inputs"
    one_length = isinstance(x, np.ndarray) and x.dtype != object
    found = [_sound(title, number, sound) for number, sound in enumerate(x if one_length else list(x))]
    if not found:
        raise InputError(f"{title} are empty; pass some sounds.")
    return found


def _sound(title: str, number: int, sound: Any) -> np.ndarray:
    array = plain_array(f"{title}: sound {number}", sound)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or not array.size or array.dtype not in (np.int16, np.float32, np.float64):
        raise InputError(
            f"{title}: sound {number} must be (samples,) or (samples, 1), of int16 or of floats from -1 to "
            f"1; received {array.dtype} {array.shape}, so convert it, or leave sample_rate out."
        )
    array = scaled_samples(array)
    with np.errstate(over="ignore"):  # what does not fit is found where all inputs are looked at
        floats = array.astype(np.float32)
    real = np.flatnonzero(~np.isnan(floats))
    return floats[: real[-1] + 1] if len(real) else floats

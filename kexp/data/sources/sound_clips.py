"""Clips of sounds: of one rate and length, resampled, cut, padded, and one after another of long files."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kexp.core.errors import InputError
from kexp.core.memory_budget import Meter, require_bytes
from kexp.core.reading_progress import shown_work
from kexp.data.audio_arguments import AudioOptions
from kexp.data.sources.sound_files import Sound, read_sound

_FLOAT_BYTES = 4


class Clips(NamedTuple):
    """Clips of sounds.

    Attributes:
        samples: (clips, steps, 1) float32; the steps after the end of a sound are NaN.
        sample_rate: Samples a second.
        sounds: (clips,) int64 place of the sound that each is of.
        notes: What was done to them, a sentence each.
    """

    samples: np.ndarray
    sample_rate: int
    sounds: np.ndarray
    notes: tuple[str, ...]


def clips_of_files(paths: Sequence[Path], options: AudioOptions) -> Clips:
    """Read sounds in files and bring them to one rate and length.

    Args:
        paths: WAV and FLAC files, one or more.
        options: The rate and the length.

    Raises:
        InputError: A file cannot be read, or they do not fit into memory.
    """
    meter, sounds = Meter(f"{len(paths)} sounds such as {paths[0]}"), []
    with shown_work("reading sounds", len(paths), "files") as work:
        for path in paths:
            sounds.append(read_sound(path))
            meter.add(sounds[-1].samples.nbytes)
            work.advance()
    rates = Counter(sound.rate for sound in sounds)
    rate = options.sample_rate or max(rates, key=lambda one: (rates[one], -one))
    several = sum(sound.channels > 1 for sound in sounds)
    mixed = (f"of {several:,} sounds with several channels the mean of them is read.",) if several else ()
    resampled = [_at_rate(sound, rate) for sound in sounds]
    clips = clips_of(resampled, rate, options)
    return clips._replace(notes=(*mixed, *_rate_notes(rates, rate), *clips.notes))


def clips_of(sounds: Sequence[np.ndarray], rate: int, options: AudioOptions) -> Clips:
    """Bring sounds of one rate to one length.

    Args:
        sounds: (samples,) float32 each, with one sample or more; those after its end may be NaN.
        rate: Samples a second.
        options: The length; a rate in it is of no account here.

    Raises:
        InputError: The clips do not fit into memory.

    Example:
        >>> clips = clips_of([np.zeros(5, "f"), np.ones(2, "f")], 2, AudioOptions(clip_seconds=2))
        >>> clips.samples[..., 0].tolist()
        [[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, nan, nan]]
        >>> clips.notes
        ('of 1 of 2 sounds, longer than 2 s, the first 2 s are read; the longest has 2.5 s.', '1 of 2 clips
        ...')
    """
    longest = max(map(len, sounds))
    seconds = options.clip_seconds
    steps = longest if seconds is None else max(1, round(seconds * rate))
    hop = None if options.hop_seconds is None else max(1, round(options.hop_seconds * rate))
    starts = [_starts(len(sound), steps, hop) for sound in sounds]
    count = sum(map(len, starts))
    require_bytes(count * steps * _FLOAT_BYTES, f"{count:,} clips of {steps / rate:g} s")
    samples = np.full((count, steps, 1), np.nan, np.float32)
    numbers = np.repeat(np.arange(len(sounds)), [len(each) for each in starts])
    places = ((number, start) for number, each in enumerate(starts) for start in each)
    for row, (number, start) in enumerate(places):
        part = sounds[number][start : start + steps]
        samples[row, : len(part), 0] = part
    return Clips(samples, rate, numbers, _length_notes(sounds, samples, rate, hop))


def _starts(length: int, steps: int, hop: int | None) -> list[int]:
    """Return where the clips of a sound begin: the last reaches its end, padded where it has to be."""
    if hop is None or length <= steps:
        return [0]
    return [number * hop for number in range(math.ceil((length - steps) / hop) + 1)]


def _at_rate(sound: Sound, rate: int) -> np.ndarray:
    """Return (samples,) float32 of a sound at another rate, without what that one cannot hold."""
    if sound.rate == rate:
        return sound.samples
    from scipy.signal import resample_poly

    common = math.gcd(sound.rate, rate)
    require_bytes(
        len(sound.samples) * rate // sound.rate * _FLOAT_BYTES, f"a sound at {rate:,} samples a second"
    )
    try:
        return resample_poly(sound.samples, rate // common, sound.rate // common).astype(np.float32)
    except MemoryError:  # of a filter for rates without a common part
        raise InputError(
            f"sample_rate={rate}: a sound of {sound.rate:,} samples a second cannot be resampled to it "
            "within memory; give a rate that has more in common with it."
        ) from None


def _rate_notes(rates: Counter[int], rate: int) -> tuple[str, ...]:
    others = {one: count for one, count in rates.items() if one != rate}
    if not others:
        return ()
    listed = ", ".join(f"{count:,} of {one:,}" for one, count in sorted(others.items())[:5])
    return (f"sounds are resampled to {rate:,} samples a second: {listed}{', …' * (len(others) > 5)}.",)


def _length_notes(
    sounds: Sequence[np.ndarray], samples: np.ndarray, rate: int, hop: int | None
) -> tuple[str, ...]:
    steps = samples.shape[1]
    longer = sum(len(sound) > steps for sound in sounds)
    padded = int(np.isnan(samples[:, -1, 0]).sum())
    longest = max(map(len, sounds)) / rate
    notes = []
    if longer and hop is None:
        notes.append(
            f"of {longer:,} of {len(sounds):,} sounds, longer than {steps / rate:g} s, the first "
            f"{steps / rate:g} s are read; the longest has {longest:.3g} s."
        )
    if longer and hop is not None:
        notes.append(
            f"{longer:,} of {len(sounds):,} sounds, longer than {steps / rate:g} s, are read in clips that "
            f"begin every {hop / rate:g} s, {len(samples):,} in all; those of a sound are in one part."
        )
    if padded:
        notes.append(f"{padded:,} of {len(samples):,} clips are padded at their end to {steps / rate:g} s.")
    return tuple(notes)

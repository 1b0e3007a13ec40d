"""Files of sounds: decoded to one channel of numbers from -1 to 1, at the rate that they were recorded at."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kexp.core.errors import InputError
from kexp.core.foreign_files import reading
from kexp.core.memory_budget import require_bytes
from kexp.data.audio_arguments import HIGHEST_RATE

_WAV, _FLAC = "a WAV file", "a FLAC file"
_ADVICE = "replace or remove it"
_WIDEST = 4  # bytes of a sample in memory for each byte of a file at most: 8 bits become float32
_BLOCK = 1 << 20  # samples of all channels that are decoded at a time


class Sound(NamedTuple):
    """A sound.

    Attributes:
        samples: (samples,) float32, the mean of all channels.
        rate: Samples a second.
        channels: That the file has.
    """

    samples: np.ndarray
    rate: int
    channels: int


def read_sound(path: Path) -> Sound:
    """Read a WAV file of 8 to 32 bits or floats, or a FLAC file.

    Args:
        path: The file; what it is is told by the end of its name.

    Raises:
        InputError: It is missing, damaged, cut, without a sample, in another encoding, or does not fit into
            memory; or FLAC files cannot be read here.
    """
    values, rate = _flac(path) if path.suffix.lower() == ".flac" else _wav(path)
    if not 0 < rate <= HIGHEST_RATE:
        raise InputError(
            f"file {path}: expected a rate from 1 to {HIGHEST_RATE:,} samples a second, received {rate:,}; "
            f"{_ADVICE}."
        )
    if not values.size:
        raise InputError(f"file {path}: expected one sample or more, received none; {_ADVICE}.")
    channels = values.shape[1] if values.ndim == 2 else 1
    samples = values.mean(axis=1, dtype=np.float32) if channels > 1 else values.reshape(-1)
    if not np.isfinite(samples).all():
        raise InputError(f"file {path}: expected finite samples, received NaN or infinity; {_ADVICE}.")
    return Sound(samples, rate, channels)


def _wav(path: Path) -> tuple[np.ndarray, int]:
    """Return (samples[, channels]) float32 of a WAV file, and its rate."""
    from scipy.io import wavfile

    with reading(path, _WAV, _ADVICE):
        size = path.stat().st_size
    require_bytes(size * _WIDEST, f"file {path}")
    with reading(path, _WAV, _ADVICE), warnings.catch_warnings():
        warnings.simplefilter("error", wavfile.WavFileWarning)
        # Chunks of other programs, such as the names of songs, are passed over.
        warnings.filterwarnings("ignore", r"Chunk \(non-data\) not understood", wavfile.WavFileWarning)
        rate, values = wavfile.read(path)
    _require_whole(path)
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128) / 128, int(rate)
    if values.dtype.kind == "i":  # those of 24 bits are in the upper ones of 32
        return values.astype(np.float32) / -float(np.iinfo(values.dtype).min), int(rate)
    with np.errstate(over="ignore"):  # what does not fit is infinite, and refused
        return values.astype(np.float32), int(rate)


def _require_whole(path: Path) -> None:
    """Refuse a WAV file with fewer samples than it announces, of which SciPy reads those that there are."""
    with path.open("rb") as file:
        size, form = path.stat().st_size, file.read(12)
        while form[:4] == b"RIFF" and len(head := file.read(8)) == 8:
            announced = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                there = size - file.tell()
                if announced > there:
                    raise InputError(
                        f"file {path}: expected the {announced:,} bytes of samples that it announces, "
                        f"received {there:,}; it is cut or damaged, so {_ADVICE}."
                    )
                return
            file.seek(announced + announced % 2, 1)


def _flac(path: Path) -> tuple[np.ndarray, int]:
    """Return (samples, channels) float32 of a FLAC file, and its rate."""
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: without its library
        raise InputError(
            f"file {path}: {_FLAC} is read by the package soundfile, which is not there; install "
            "kexp[audio], or convert it to WAV."
        ) from None
    blocks: list[np.ndarray] = []
    with reading(path, _FLAC, _ADVICE), soundfile.SoundFile(path) as file:
        announced, channels, rate = file.frames, file.channels, file.samplerate
        # Counted before they are decoded: a small file can announce any number of samples.
        require_bytes(announced * channels * 4, f"file {path}")
        while len(block := file.read(max(_BLOCK // channels, 1), dtype="float32", always_2d=True)):
            blocks.append(block)
    values = np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)
    if len(values) != announced:
        raise InputError(
            f"file {path}: expected the {announced:,} samples that it announces, received {len(values):,}; "
            f"it is cut or damaged, so {_ADVICE}."
        )
    return values, rate

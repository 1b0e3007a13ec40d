"""Sounds as a page shows them: a spectrogram to look at, and the sound to listen to."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np

from kexp.core.images import png
from kexp.report.html import picture

_LONGEST_S = 3.0
_MOST_BYTES = 48_000  # of a sound, so that a page of some dozens stays below 5 MB
_RANGE_DB = 60.0
_HEIGHT, _WIDTH = 64, 128  # pixels
_FRAME_S = 0.032


def sound_card(name: str, samples: np.ndarray, rate: int) -> str:
    """Return HTML of a sound: its spectrogram, high frequencies above, and what plays it.

    Args:
        name: What it is, for those who do not see it, not escaped yet.
        samples: (steps, 1) or (steps,) numbers, NaN after its end.
        rate: Samples a second.

    Example:
        >>> card = sound_card("a <tone>", np.sin(np.arange(800.0)), 8000)
        >>> card.startswith('<img class="grid" alt="spectrogram of a &lt;tone'), "<audio controls" in card
        (True, True)
    """
    flat = np.asarray(samples, np.float32).reshape(-1)
    flat = flat[: _kept(flat)] if np.isnan(flat).any() else flat
    encoded = base64.b64encode(_wav(flat, rate)).decode()
    player = f'<audio controls preload="none" aria-label="{escape(name)}"'
    player += f' src="data:audio/wav;base64,{encoded}"></audio>'
    return picture(f"spectrogram of {name}", png(_spectrogram(flat, rate))) + player


def how_cut(steps: int, rate: int) -> str:
    """Return a sentence on how much of sounds of a length can be played, if it is not all.

    Example:
        >>> how_cut(8000, 8000), how_cut(160000, 16000)
        ('', ' The first 1.5 s of each can be played.')
    """
    most = _most(rate)
    return f" The first {most / rate:.2g} s of each can be played." if steps > most else ""


def _kept(samples: np.ndarray) -> int:
    """Return how many samples there are before the padding, 1 or more."""
    real = np.flatnonzero(~np.isnan(samples))
    return int(real[-1]) + 1 if len(real) else 1


def _most(rate: int) -> int:
    return min(int(_LONGEST_S * rate), _MOST_BYTES // 2)


def _wav(samples: np.ndarray, rate: int) -> bytes:
    """Return the first samples as a WAV file of 16 bits, as loud as can be."""
    from scipy.io import wavfile

    some = np.nan_to_num(samples[: _most(rate)])
    loudest = max(float(np.abs(some).max(initial=0)), 1e-9)
    content = io.BytesIO()
    wavfile.write(content, rate, np.round(some * (32767 / loudest)).astype(np.int16))
    return content.getvalue()


def _spectrogram(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return (height, width, 3) uint8, dark for loud."""
    from PIL import Image
    from scipy.signal import spectrogram

    frame = max(16, round(_FRAME_S * rate))
    padded = np.pad(np.nan_to_num(samples), (0, max(0, frame - len(samples))))
    power = spectrogram(padded, rate, nperseg=frame, noverlap=frame - max(1, frame // 4), mode="psd")[2]
    decibels = 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-30), 1e-30))
    grey = np.clip(-decibels / _RANGE_DB, 0, 1)[::-1] * 255
    image = Image.fromarray(np.round(grey).astype(np.uint8)).resize(
        (_WIDTH, _HEIGHT), Image.Resampling.BILINEAR
    )
    return np.repeat(np.asarray(image)[..., None], 3, axis=-1)

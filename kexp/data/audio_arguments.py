"""The arguments of sounds, as `kexp.data.load` and recipes take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError, shown

HIGHEST_RATE = 768_000  # samples a second, of any recorder there is
Rate = Annotated[int, AtLeast(1)]  # of no upper end, so that no sweep searches over it


class AudioArguments(TypedDict, total=False):
    """How sounds are read and brought to one rate and length; all may be left out.

    Attributes:
        audio: Column of a table with the path of a WAV or FLAC file in each row, as seen from the folder of
            the table, below which they lie.
        sample_rate: Samples a second that files are resampled to; default: that of most of them. Of arrays,
            which have none of their own, it is what they were recorded at.
        clip_seconds: Length that clips are cut to, at their end, and padded to; default: that of the longest.
        hop_seconds: Where files are longer than `clip_seconds`, seconds from the beginning of one clip to
            that of the next; the clips of a file are in one part. Default: a clip of each file, its first.
    """

    audio: str | None
    sample_rate: Rate | None
    clip_seconds: Annotated[float, AtLeast(0.001)] | None
    hop_seconds: Annotated[float, AtLeast(0.001)] | None


@dataclass(frozen=True)
class AudioOptions:
    """How sounds are read, as `AudioArguments`.

    Attributes:
        audio: Column with the paths of files.
        sample_rate: Samples a second.
        clip_seconds: Length of a clip.
        hop_seconds: From one clip of a file to the next.
    """

    audio: str | None = None
    sample_rate: int | None = None
    clip_seconds: float | None = None
    hop_seconds: float | None = None


def audio_options(given: Mapping[str, Any]) -> AudioOptions:
    """Return how sounds are to be read, checked.

    Args:
        given: As `AudioArguments`.

    Raises:
        InputError: An argument is of another type or value than it must be.

    Example:
        >>> audio_options({"clip_seconds": 1, "hop_seconds": 0.5}).clip_seconds
        1.0
        >>> audio_options({"hop_seconds": 0.5})
        Traceback (most recent call last):
        ...
        kexp.InputError: hop_seconds=0.5: there are no clips to come one after another; give clip_seconds too,
        or leave hop_seconds out.
    """
    checked = {
        name: None if given.get(name) is None else check_value(name, given[name], _TYPES[name])
        for name in _TYPES
    }
    if checked["sample_rate"] is not None:
        check_rate("sample_rate", checked["sample_rate"])
    options = AudioOptions(**checked)
    if options.hop_seconds is not None and options.clip_seconds is None:
        raise InputError(
            f"hop_seconds={shown(options.hop_seconds)}: there are no clips to come one after another; give "
            "clip_seconds too, or leave hop_seconds out."
        )
    return options


def check_rate(name: str, rate: object) -> int:
    """Return a number of samples a second, refusing what is none.

    Raises:
        InputError: It is none.
    """
    found = int(check_value(name, rate, Rate))
    if found > HIGHEST_RATE:
        raise InputError(f"{name} must be at most {HIGHEST_RATE:,} samples a second; received {found:,}.")
    return found


_TYPES: dict[str, Any] = {
    "audio": str,
    "sample_rate": Rate,
    "clip_seconds": Annotated[float, AtLeast(0.001)],
    "hop_seconds": Annotated[float, AtLeast(0.001)],
}

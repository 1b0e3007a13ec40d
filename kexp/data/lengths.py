"""Lengths of samples: which of them set the size of all, and which are too far beyond the others to do so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

_COVERED = 0.95  # share of the samples that are never cut
_TIMES = 8  # times as long as all of those is far beyond
_NEVER_CUT = 256  # steps that cost little
_NAMES = {"train": "training"}


def longest_kept(lengths: np.ndarray) -> int:
    """Return the longest of lengths that are not far beyond the others.

    Far beyond is what is longer than 256 and than 8 times the length that 95 % of the samples do not exceed;
    of 20 samples or fewer nothing is.

    Args:
        lengths: (samples,) whole numbers, one or more, of the training part.

    Example:
        >>> longest_kept(np.array([20] * 98 + [90, 50_000])), longest_kept(np.array([20, 50_000]))
        (90, 50000)
    """
    return int(lengths[lengths <= length_limit(lengths)].max())


def length_limit(lengths: np.ndarray) -> int:
    """Return the length beyond which a sample is far longer than these.

    Args:
        lengths: As of `longest_kept`.

    Example:
        >>> length_limit(np.full(100, 20)), length_limit(np.full(100, 1000))
        (256, 8000)
    """
    return max(_NEVER_CUT, _TIMES * int(np.quantile(lengths, _COVERED, method="higher")))


class Cut(NamedTuple):
    """What cutting samples to a length does to the parts of data.

    Attributes:
        counts: How many are cut, and of how many, by the name of their part.
        longest: Length of the longest one.
        part: Name of the part that it is in.
        position: Where it is there.
    """

    counts: Mapping[str, tuple[int, int]]
    longest: int
    part: str
    position: int

    def __str__(self) -> str:
        cut = [f"{count:,} of {of:,} {_named(part)}" for part, (count, of) in self.counts.items()]
        return (
            f"cuts {', '.join(cut)} samples; the longest has {self.longest:,}, {_named(self.part)} sample "
            f"{self.position}"
        )


def cut_to(kept: int, lengths: Mapping[str, np.ndarray]) -> Cut | None:
    """Return what cutting samples to a length does, or None if none is longer.

    Args:
        kept: The length.
        lengths: (samples,) of each part.

    Example:
        >>> str(cut_to(20, {"train": np.array([20, 7, 50]), "test": np.array([3])}))
        'cuts 1 of 3 training samples; the longest has 50, training sample 2'
    """
    longer = {part: (int((each > kept).sum()), len(each)) for part, each in lengths.items() if len(each)}
    longer = {part: counts for part, counts in longer.items() if counts[0]}
    if not longer:
        return None
    part = max(longer, key=lambda part: lengths[part].max())
    position = int(lengths[part].argmax())
    return Cut(longer, int(lengths[part][position]), part, position)


def _named(part: str) -> str:
    return _NAMES.get(part, part)

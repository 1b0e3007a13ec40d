"""Bits per character of a language model."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from kexp.data.dataset import Split

__all__ = ["bits_per_character"]

KNOWN_LOWER = ("bits_per_character",)


def bits_per_character(split: Split, predictions: Mapping[str, np.ndarray]) -> float:
    """Return how many bits a language model needs for each character of some texts.

    With natural log probabilities, minus their sum, divided by the logarithm of 2 and by the number of
    characters: the same whatever its tokens are.

    Args:
        split: The texts.
        predictions: What the model says of them, with "log_probability", (samples,).

    Example:
        >>> texts = np.array(["ab", "abcdef"], object)
        >>> bits_per_character(Split(texts, texts), {"log_probability": np.log([1 / 4, 1 / 64])})
        1.0
    """
    characters = sum(len(text) for text in split.targets)
    return -float(np.sum(predictions["log_probability"], dtype="float64")) / math.log(2) / characters

"""Occlusion: how much a score falls when a part of the sample is hidden."""

from __future__ import annotations

import re

import numpy as np

from kexp.data.dataset import Inputs, single_array
from kexp.evaluation.explain.explained_model import ExplainedModel

_WORD = re.compile(r"\S+")
MOST_WORDS = 120  # of a text that are hidden, one after the other


def occluded_patches(
    explained: ExplainedModel, images: np.ndarray, targets: np.ndarray, *, patches: int = 8
) -> np.ndarray:
    """Return how much the score of an output falls when a patch of an image is grey.

    Patches overlap by a half; a pixel gets the mean of those that hide it. Grey is the mean of each channel
    over the image.

    Source: Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks".

    Args:
        explained: The model.
        images: (samples, height, width, channels).
        targets: (samples,) index of the output each.
        patches: Along the longer side, default 8.

    Returns:
        (samples, height, width) float32, above 0 where the image speaks for the output.
    """
    side = max(2, -(-max(images.shape[1:3]) // patches))
    corners = [
        (slice(top, top + side), slice(left, left + side))
        for top in _starts(images.shape[1], side)
        for left in _starts(images.shape[2], side)
    ]
    return np.stack(
        [_hidden(explained, *one, corners) for one in zip(images, targets, strict=True)]
    )


def occluded_steps(
    explained: ExplainedModel, series: np.ndarray, targets: np.ndarray, *, windows: int = 16
) -> np.ndarray:
    """Return how much the score of an output falls when a window of a series has the mean of its channels.

    Args:
        explained: The model.
        series: (samples, steps, channels), whose padding is NaN.
        targets: (samples,) index of the output each.
        windows: Along the series, default 16, which overlap by a half.

    Returns:
        (samples, steps) float32.
    """
    side = max(1, -(-series.shape[1] // windows))
    rows = [(slice(first, first + side),) for first in _starts(series.shape[1], side)]
    return np.stack([_hidden(explained, *one, rows) for one in zip(series, targets, strict=True)])


def _hidden(
    explained: ExplainedModel, sample: np.ndarray, target: int, parts: list[tuple[slice, ...]]
) -> np.ndarray:
    """Return (*positions,) of one sample, parts of which are hidden one after the other."""
    axes = tuple(range(sample.ndim - 1))
    mean = np.nanmean(sample.astype(np.float64), axis=axes)
    changed = np.repeat(sample[None], len(parts) + 1, axis=0)
    for copy, part in zip(changed, parts, strict=False):
        copy[part] = np.where(np.isnan(copy[part]), np.nan, mean) if copy.dtype.kind == "f" else mean
    scores = explained.scores(changed, np.full(len(changed), target))
    total, times = np.zeros(sample.shape[:-1]), np.zeros(sample.shape[:-1])
    for part, score in zip(parts, scores, strict=False):
        total[part] += scores[-1] - score
        times[part] += 1
    return (total / np.maximum(times, 1)).astype(np.float32)


def _starts(size: int, side: int) -> list[int]:
    step = max(1, side // 2)
    last = max(size - side, 0)
    return sorted({*range(0, last + 1, step), last})


def occluded_words(
    explained: ExplainedModel, texts: Inputs, targets: np.ndarray
) -> list[tuple[tuple[str, ...], np.ndarray]]:
    """Return for each text its words, and how much the score of an output falls without each.

    Source: Li, Monroe and Jurafsky 2016, "Understanding Neural Networks through Representation Erasure".

    Args:
        explained: The model.
        texts: (samples,) strings.
        targets: (samples,) index of the output each.

    Returns:
        Of each text its pieces, 120 at most, words or the letters of a single word, and (pieces,) float32.
    """
    return [_without(explained, str(text), target) for text, target in zip(single_array(texts), targets, strict=True)]


def _without(explained: ExplainedModel, text: str, target: int) -> tuple[tuple[str, ...], np.ndarray]:
    spans = [match.span() for match in _WORD.finditer(text)][:MOST_WORDS]
    if len(spans) < 2:
        spans = [(place, place + 1) for place in range(min(len(text), MOST_WORDS))]
    changed = [text[:start] + text[end:].removeprefix(" ") for start, end in spans]
    scores = explained.scores(np.array([*changed, text], dtype=object), np.full(len(changed) + 1, target))
    pieces = tuple(text[start:end] for start, end in spans)
    return pieces, (scores[-1] - scores[:-1]).astype(np.float32)

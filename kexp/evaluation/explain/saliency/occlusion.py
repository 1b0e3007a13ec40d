"""Occlusion: how much a score falls when a part of the sample is hidden."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from kexp.data.dataset import Inputs, single_array
from kexp.evaluation.explain.explained_model import ExplainedModel, only_images

_WORD = re.compile(r"\S+")
_SMALL = 64  # pixels of an image's longer side, up to which patches overlap
MOST_WORDS = 120  # of a text that are hidden, one after the other


def occluded_patches(
    explained: ExplainedModel, inputs: Inputs, targets: np.ndarray, *, patches: int = 8
) -> np.ndarray:
    """Return how much the score of an output falls when a patch of an image is grey.

    Patches of images of up to 64 pixels overlap by a half, and a pixel gets the mean of those that hide it.
    Grey is the mean of each channel over the image.

    Source: Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks".

    Args:
        explained: The model.
        inputs: (samples, height, width, channels), or several inputs with such images among them.
        targets: (samples,) index of the output each.
        patches: Along the longer side, default 8.

    Returns:
        (samples, height, width) float32, above 0 where the image speaks for the output.
    """
    images = _samples(inputs)
    side = max(2, -(-max(images.shape[1:3]) // patches))
    step = side // 2 if max(images.shape[1:3]) <= _SMALL else side
    corners = [
        (slice(top, top + side), slice(left, left + side))
        for top in _starts(images.shape[1], side, step)
        for left in _starts(images.shape[2], side, step)
    ]
    return _hidden(explained, inputs, targets, corners)


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
    rows = [(slice(first, first + side),) for first in _starts(series.shape[1], side, side // 2)]
    return _hidden(explained, series, targets, rows)


def _samples(inputs: Inputs) -> np.ndarray:
    """Return the array whose parts are hidden: the only one, or the images among several."""
    return np.asarray(inputs[str(only_images(inputs))] if isinstance(inputs, Mapping) else inputs)


def _hidden(
    explained: ExplainedModel, inputs: Inputs, targets: np.ndarray, parts: Sequence[tuple[slice, ...]]
) -> np.ndarray:
    """Return (samples, *positions), parts of which are hidden one after the other."""
    samples = _samples(inputs)
    scores = _scores(explained, inputs, [_changed(sample, parts) for sample in samples], targets)
    maps = np.zeros(samples.shape[:-1], np.float32)
    times = np.zeros(samples.shape[1:-1])
    for part in parts:
        times[part] += 1
    for one, score in zip(maps, scores, strict=True):
        for part, hidden in zip(parts, score, strict=False):
            one[part] += score[-1] - hidden
    return maps / np.maximum(times, 1).astype(np.float32)


def _changed(sample: np.ndarray, parts: Sequence[tuple[slice, ...]]) -> np.ndarray:
    """Return (parts + 1, ...): a sample without each of its parts, and as it is."""
    mean = np.nanmean(sample.astype(np.float64), axis=tuple(range(sample.ndim - 1)))
    changed = np.repeat(sample[None], len(parts) + 1, axis=0)
    for copy, part in zip(changed, parts, strict=False):
        # NaN is the padding of series.
        copy[part] = np.where(np.isnan(copy[part]), np.nan, mean) if copy.dtype.kind == "f" else mean
    return changed


def _scores(
    explained: ExplainedModel, inputs: Inputs, changed: list[np.ndarray], targets: np.ndarray
) -> list[np.ndarray]:
    """Return the scores of each sample's changed copies, whose other inputs are as they are."""
    counts = [len(copies) for copies in changed]
    copies: Inputs = np.concatenate(changed)
    if isinstance(inputs, Mapping):
        repeated = np.repeat(np.arange(len(targets)), counts)
        others = {name: array[repeated] for name, array in inputs.items()}
        copies = {**others, str(only_images(inputs)): np.asarray(copies)}
    scores = explained.scores(copies, np.repeat(targets, counts))
    return np.split(scores, np.cumsum(counts)[:-1])


def _starts(size: int, side: int, step: int) -> list[int]:
    last = max(size - side, 0)
    return sorted({*range(0, last + 1, max(1, step)), last})


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
    spans = [_spans(str(text)) for text in single_array(texts)]
    changed = [
        np.array([*(_without(str(text), *span) for span in own), str(text)], dtype=object)
        for text, own in zip(single_array(texts), spans, strict=True)
    ]
    scores = _scores(explained, texts, changed, targets)
    return [
        (tuple(str(text)[start:end] for start, end in own), (score[-1] - score[:-1]).astype(np.float32))
        for text, own, score in zip(single_array(texts), spans, scores, strict=True)
    ]


def _spans(text: str) -> list[tuple[int, int]]:
    """Return where the words of a text begin and end, or the letters of one that is a single word."""
    spans = [match.span() for match in _WORD.finditer(text)][:MOST_WORDS]
    return spans if len(spans) > 1 else [(place, place + 1) for place in range(min(len(text), MOST_WORDS))]


def _without(text: str, start: int, end: int) -> str:
    return text[:start] + text[end:].removeprefix(" ")

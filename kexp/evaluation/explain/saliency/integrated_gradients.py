"""Integrated gradients: what each number of the input adds to a score, from a baseline to the sample."""

from __future__ import annotations

import numpy as np
from keras import ops

from kexp.data.dataset import Inputs, sample_count
from kexp.evaluation.explain.explained_model import ExplainedModel, some
from kexp.evaluation.explain.saliency.entry_point import entry_point

_AT_ONCE = 32


def integrated_gradients(
    explained: ExplainedModel, inputs: Inputs, targets: np.ndarray, *, steps: int = 16
) -> np.ndarray | None:
    """Return what each position of the input adds to the score of an output.

    The gradient is averaged along the straight line from a baseline to the sample and multiplied by their
    difference, then summed over channels; the whole map sums to the difference of the two scores. The
    baseline of pixels and series is the mean of each channel over the sample, that of tokens zero.

    Source: Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks".

    Args:
        explained: The model.
        inputs: (samples, ...) of one array.
        targets: (samples,) index of the output each.
        steps: Of the line, default 16.

    Returns:
        (samples, *positions) float32, positions as the model first sees them; None for inputs without a
        place where a gradient can be taken.
    """
    maps = [
        _maps(explained, some(inputs, slice(place, place + 1)), targets[place : place + 1], steps)
        for place in range(sample_count(inputs))
    ]
    found = [one for one in maps if one is not None]
    return np.concatenate(found) if len(found) == len(maps) and len({one.shape for one in found}) == 1 else None


def _maps(
    explained: ExplainedModel, inputs: Inputs, targets: np.ndarray, steps: int
) -> np.ndarray | None:
    """Return (1, *positions) for one sample, all steps of its line being the samples of a batch."""
    entry = entry_point(explained, inputs)
    if entry is None:
        return None
    place, value = entry
    sample = np.asarray(value, np.float32)
    baseline = np.zeros_like(sample)
    if explained.spec.kind != "text":
        baseline += sample.mean(axis=tuple(range(1, sample.ndim - 1)), keepdims=True)
    total = np.zeros_like(sample)
    shares = (np.arange(steps) + 0.5) / steps  # the middles, by which the sum is nearest to the integral
    for first in range(0, steps, _AT_ONCE):
        some_shares = shares[first : first + _AT_ONCE].reshape(-1, *(1 for _ in sample.shape[1:]))
        line = (baseline + some_shares * (sample - baseline)).astype(np.float32)
        repeated = some(inputs, np.zeros(len(line), int))
        tensor = ops.cast(ops.convert_to_tensor(line), value.dtype)
        _, gradient = explained.gradient(repeated, np.repeat(targets, len(line)), place, tensor)
        total += gradient.sum(axis=0, keepdims=True)
    return ((total / steps) * (sample - baseline)).sum(axis=-1)

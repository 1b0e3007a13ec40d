"""Integrated gradients: what each number of the input adds to a score, from a baseline to the sample."""

from __future__ import annotations

import numpy as np
from keras import ops

from kexp.data.dataset import Inputs
from kexp.evaluation.explain.explained_model import ExplainedModel, at_once, some
from kexp.evaluation.explain.saliency.entry_point import entry_point


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
    entry = entry_point(explained, inputs)
    if entry is None:
        return None
    place, value = entry
    samples = np.asarray(value, np.float32)
    baseline = np.zeros_like(samples)
    if explained.spec.kind != "text":
        baseline += samples.mean(axis=tuple(range(1, samples.ndim - 1)), keepdims=True)
    shares = (np.arange(steps) + 0.5) / steps  # the middles, by which the sum is nearest to the integral
    step = max(1, at_once(inputs) // steps)
    parts = []
    for first in range(0, len(samples), step):
        rows = slice(first, first + step)
        line = _line(baseline[rows], samples[rows], shares)  # (samples * steps, ...)
        repeated = np.repeat(np.arange(len(samples))[rows], steps)
        tensor = ops.cast(ops.convert_to_tensor(line), value.dtype)
        _, gradient = explained.gradient(some(inputs, repeated), targets[repeated], place, tensor)
        parts.append(gradient.reshape(-1, steps, *samples.shape[1:]).mean(axis=1))
    return (np.concatenate(parts) * (samples - baseline)).sum(axis=-1)


def _line(baseline: np.ndarray, samples: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the places on the way from a baseline to each sample, one sample after the other."""
    along = shares.reshape(1, -1, *(1 for _ in samples.shape[1:]))
    line = baseline[:, None] + along * (samples - baseline)[:, None]
    return line.reshape(-1, *samples.shape[1:]).astype(np.float32)

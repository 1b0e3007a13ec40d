"""The share of samples whose label is predicted, of outputs at hand."""

from __future__ import annotations

import numpy as np

from kexp.data.dataset import Split

__all__ = ["label_accuracy"]


def label_accuracy(split: Split, outputs: np.ndarray) -> float:
    """Return the share of samples whose largest output is that of their class.

    Args:
        split: Its targets are (samples,) class indices.
        outputs: (samples, classes) logits or probabilities.

    Example:
        >>> label_accuracy(Split(np.zeros(2), np.array([0, 1])), np.array([[0.9, 0.1], [0.8, 0.2]]))
        0.5
    """
    return float(np.mean(np.argmax(outputs, axis=1) == split.targets))

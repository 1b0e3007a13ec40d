"""Judged classes: what a classifier takes samples for, beside what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.data.dataset import DatasetSpec, class_names
from kexp.tasks.classification import class_indices

if TYPE_CHECKING:
    from kexp.tasks.predictions import Predictions


@dataclass(frozen=True, eq=False)
class JudgedClasses:
    """Truth and prediction of n samples.

    Attributes:
        names: Of the classes, by their indices.
        truth: (n,) class indices.
        probabilities: (n, classes), rows that sum to one.
    """

    names: tuple[str, ...]
    truth: np.ndarray
    probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """(n,) indices of the most probable classes."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """(n,) probabilities of the most probable classes."""
        return self.probabilities.max(axis=1)

    @property
    def wrong(self) -> np.ndarray:
        """(n,) whether another class than the true one is the most probable."""
        return self.predicted != self.truth

    def confusion(self) -> np.ndarray:
        """Return (classes, classes) samples by truth, a row each, and by prediction.

        Example:
            >>> judged = JudgedClasses(("cat", "dog"), np.array([0, 0, 1]), np.eye(2)[[0, 1, 1]])
            >>> judged.confusion().tolist()
            [[1, 1], [0, 1]]
        """
        count = len(self.names)
        return np.bincount(self.truth * count + self.predicted, minlength=count**2).reshape(count, count)

    def confused_pairs(self) -> list[tuple[int, int, int]]:
        """Return truth, prediction and samples of each pair that is confused, the most frequent first."""
        pairs, counts = np.unique(
            np.stack([self.truth[self.wrong], self.predicted[self.wrong]]), axis=1, return_counts=True
        )
        order = np.argsort(-counts, kind="stable")
        return [(int(pairs[0, place]), int(pairs[1, place]), int(counts[place])) for place in order]

    def counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (classes,) samples of each class, samples taken for it, and those that are both."""
        size = len(self.names)
        hits = np.bincount(self.truth[~self.wrong], minlength=size)
        return np.bincount(self.truth, minlength=size), np.bincount(self.predicted, minlength=size), hits


def judge_classes(targets: Any, predictions: Predictions, spec: DatasetSpec) -> JudgedClasses | None:
    """Return truth and prediction, or None where the truth is no single class, as of labels that were mixed.

    Args:
        targets: (n, ...) of the data, in any form that Keras takes.
        predictions: For the same samples.
        spec: What the model was made for.
    """
    truth, probabilities = class_indices(np.asarray(targets), spec.outputs), predictions.probabilities
    if truth is None or not len(truth) or probabilities is None or len(probabilities) != len(truth):
        return None
    return JudgedClasses(class_names(spec), truth.astype(np.int64), np.asarray(probabilities))

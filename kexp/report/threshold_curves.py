"""Figures of a decision between two classes by the threshold from which the second one is taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ThresholdCurves:
    """Figures by threshold, from above the greatest score, where nothing is taken, to the least.

    Attributes:
        thresholds: (k,) falling scores; the first is infinite.
        precision: (k,) share of what is taken that is of the class; 1 where nothing is taken.
        recall: (k,) share of the class that is taken.
        false_alarms: (k,) share of the other class that is taken.
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    false_alarms: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        """(k,) harmonic means of precision and recall."""
        return 2 * self.precision * self.recall / np.maximum(self.precision + self.recall, 1e-12)

    @property
    def auroc(self) -> float:
        """Area under recall over false alarms."""
        return float(np.trapezoid(self.recall, self.false_alarms))

    @property
    def average_precision(self) -> float:
        """Mean of precision over the steps of recall."""
        return float(np.sum(np.diff(self.recall) * self.precision[1:]))

    def at(self, threshold: float) -> tuple[float, float, float]:
        """Return precision, recall and F1 where scores of a threshold or more are taken."""
        place = int(np.sum(self.thresholds >= threshold)) - 1
        return float(self.precision[place]), float(self.recall[place]), float(self.f1[place])


def threshold_curves(positive: np.ndarray, scores: np.ndarray) -> ThresholdCurves | None:
    """Return the figures of a decision by scores, or None where all samples are of one class.

    Args:
        positive: (n,) whether a sample is of the class.
        scores: (n,) higher for what is rather of it.

    Example:
        >>> curves = threshold_curves(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
        >>> curves.auroc, round(curves.average_precision, 4), curves.at(0.35)[1]
        (0.75, 0.8333, 1.0)
    """
    positive = np.asarray(positive, dtype=bool)
    if positive.all() or not positive.any():
        return None
    order = np.argsort(-scores, kind="stable")
    falling, hits = scores[order], np.cumsum(positive[order])
    last = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)  # of samples of the same score
    hit, taken = hits[last], last + 1
    return ThresholdCurves(
        thresholds=np.append(np.inf, falling[last]),
        precision=np.append(1.0, hit / taken),
        recall=np.append(0.0, hit / positive.sum()),
        false_alarms=np.append(0.0, (taken - hit) / (~positive).sum()),
    )

"""Reliability of probabilities: how often those that are given hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["reliability"]

BINS = 10


@dataclass(frozen=True, eq=False)
class Reliability:
    """Samples by the probability of the class that each is taken for, in bins of equal width.

    Attributes:
        counts: (bins,) samples.
        confidence: (bins,) mean probability; NaN of none.
        accuracy: (bins,) share of them that is right; NaN of none.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of confidence and accuracy, weighted by samples."""
        known = self.counts > 0
        apart = np.abs(self.accuracy[known] - self.confidence[known])
        return float(np.sum(self.counts[known] * apart) / self.counts.sum())


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Reliability:
    """Return how often the most probable class is the true one, by its probability.

    Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks", section 2.

    Args:
        confidence: (n,) probabilities of the most probable classes, from above 0 to 1.
        right: (n,) whether these are the true ones.
        bins: As many of equal width, (0, 1/bins] the first; default 10.

    Example:
        >>> found = reliability(np.array([0.95, 0.95, 0.55, 0.55]), np.array([1, 1, 1, 0]))
        >>> found.counts.tolist(), round(found.error, 3)
        ([0, 0, 0, 0, 0, 2, 0, 0, 0, 2], 0.05)
    """
    edges = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    places = np.digitize(confidence, edges, right=True)
    counts = np.bincount(places, minlength=bins)
    with np.errstate(invalid="ignore"):
        means, shares = (
            np.bincount(places, weights=values, minlength=bins) / counts for values in (confidence, right)
        )
    return Reliability(counts, means, shares)


def chance_error(confidence: np.ndarray, bins: int = BINS, draws: int = 200) -> float:
    """Return the mean calibration error of probabilities that hold exactly, by the chance of so few samples.

    Args:
        confidence: (n,) probabilities of the most probable classes.
        bins: As of `reliability`.
        draws: How often it is drawn which of them are right, with seed 0; default 200.

    Example:
        >>> [round(chance_error(np.full(count, 0.9)), 2) for count in (100, 10_000)]
        [0.02, 0.0]
    """
    generator = np.random.default_rng(0)
    errors = [
        reliability(confidence, generator.random(len(confidence)) < confidence, bins).error
        for _ in range(draws)
    ]
    return float(np.mean(errors))

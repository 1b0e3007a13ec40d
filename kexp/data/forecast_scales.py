"""Scales of series: by how much each changes over a season, which errors are measured in."""

from __future__ import annotations

import numpy as np

from kexp.data.forecast_form import ForecastForm
from kexp.data.forecast_panel import Panel


def seasonal_scales(target: np.ndarray, season: int) -> np.ndarray:
    """Return (series,) mean absolute changes over a season, which errors are divided by in MASE.

    Args:
        target: (series, steps), NaN where it is not known.
        season: Steps, 1 or more.

    Example:
        >>> seasonal_scales(np.array([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]]), 1).tolist()
        [1.5, 1.0]
    """
    season = min(season, target.shape[1] - 1)
    changes = np.abs(target[:, season:] - target[:, :-season])
    known = np.isfinite(changes)
    means = np.where(known, changes, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(means > 0, means, 1.0)


def training_scales(panel: Panel, form: ForecastForm, end: int) -> np.ndarray:
    """Return `seasonal_scales` of the steps before one, (series, targets)."""
    each = np.moveaxis(panel.targets[:, :end], -1, 0)
    return np.stack([seasonal_scales(target, form.season) for target in each], axis=-1)


def target_scales(scales: np.ndarray) -> tuple[float, ...]:
    """Return the unit of each target's errors in the loss, its mean over the series; of one target none.

    Args:
        scales: (series, targets) of training.

    Example:
        >>> target_scales(np.array([[1.0, 10.0], [3.0, 30.0]])), target_scales(np.ones((2, 1)))
        ((2.0, 20.0), ())
    """
    return tuple(scales.mean(axis=0).tolist()) if scales.shape[1] > 1 else ()


def series_weights(scales: np.ndarray) -> np.ndarray | None:
    """Return (series,) weights of mean 1, the inverse of how much each changes; None of one series.

    Of several targets it is the change in units of each one's own, in their mean.

    Args:
        scales: (series, targets) of training.

    Example:
        >>> series_weights(np.array([[1.0], [3.0]])).tolist(), series_weights(np.ones((1, 2)))
        ([1.5, 0.5], None)
    """
    if len(scales) == 1:
        return None
    changes = scales[:, 0] if scales.shape[1] == 1 else (scales / scales.mean(axis=0)).mean(axis=1)
    inverse = 1 / changes
    return inverse / inverse.mean()

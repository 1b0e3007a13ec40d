"""Metrics of forecasts: errors beside those of a naive forecast, in shares of the level, and of quantiles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = [
    "mean_absolute_scaled_error",
    "pinball",
    "quantile_coverage",
    "symmetric_percentage_error",
    "weighted_quantile_loss",
]

KNOWN_LOWER = ("mase", "smape", "wql", "crps", "pinball")
NOT_NEGATIVE = ("mase", "smape", "wql", "crps", "pinball")


def mean_absolute_scaled_error(targets: np.ndarray, values: np.ndarray, scales: np.ndarray | float) -> float:
    """Return MASE, the mean absolute error in units of the error of a seasonal naive forecast in training.

    Source: Hyndman and Koehler 2006, "Another look at measures of forecast accuracy".

    Args:
        targets: (samples, horizon); NaN counts nothing.
        values: (samples, horizon) forecasts.
        scales: (samples,) or one mean absolute change over a season of the series before, above 0.

    Example:
        >>> mean_absolute_scaled_error(np.array([[1.0, 3.0]]), np.array([[2.0, 3.0]]), 0.25)
        2.0
    """
    errors = np.abs(np.asarray(targets, np.float64) - values)
    return float(np.nanmean(errors / np.reshape(scales, (-1, 1))))


def symmetric_percentage_error(targets: np.ndarray, values: np.ndarray) -> float:
    """Return sMAPE, 200 |y - f| / (|y| + |f|) in the mean, from 0 to 200; 0 where both are 0.

    Source: Makridakis et al. 2020, "The M4 competition".

    Args:
        targets: (samples, horizon); NaN counts nothing.
        values: (samples, horizon) forecasts.

    Example:
        >>> symmetric_percentage_error(np.array([[1.0, 0.0]]), np.array([[3.0, 0.0]]))
        50.0
    """
    truth, forecasts = np.asarray(targets, np.float64), np.asarray(values, np.float64)
    size = np.abs(truth) + np.abs(forecasts)
    return float(np.nanmean(200 * np.abs(truth - forecasts) / np.where(size == 0, 1.0, size)))


def pinball(targets: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return the pinball losses of quantiles, (samples, horizon, levels).

    Source: Koenker and Bassett 1978, "Regression quantiles".

    Args:
        targets: (samples, horizon).
        quantiles: (samples, horizon, levels).
        levels: Of the quantiles, between 0 and 1.

    Example:
        >>> pinball(np.array([[4.0]]), np.array([[[2.0, 5.0]]]), (0.25, 0.75)).tolist()
        [[[0.5, 0.25]]]
    """
    over = np.asarray(targets, np.float64)[..., None] - quantiles
    return np.maximum(np.asarray(levels) * over, (np.asarray(levels) - 1) * over)


def weighted_quantile_loss(targets: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> float:
    """Return WQL, twice the pinball loss over the sum of the absolute targets, in the mean of the levels.

    Over the mean of the absolute targets it is the continuous ranked probability score, as close as the
    levels are many.

    Source: Park et al. 2022, "Learning quantile functions without quantile crossing for distribution-free
    time series forecasting", section 4.

    Args:
        targets: (samples, horizon), not all 0; NaN counts nothing.
        quantiles: (samples, horizon, levels).
        levels: Of the quantiles, between 0 and 1.

    Example:
        >>> weighted_quantile_loss(np.array([[4.0]]), np.array([[[2.0, 5.0]]]), (0.25, 0.75))
        0.1875
    """
    losses = pinball(targets, quantiles, levels)
    size = np.nansum(np.abs(np.asarray(targets, np.float64)))
    return float(2 * np.nansum(losses) / losses.shape[-1] / size) if size else float("nan")


def quantile_coverage(targets: np.ndarray, quantiles: np.ndarray) -> float:
    """Return the share of targets between the first and the last quantile.

    Args:
        targets: (samples, horizon); NaN counts nothing.
        quantiles: (samples, horizon, levels), ascending.

    Example:
        >>> quantile_coverage(np.array([[4.0], [9.0]]), np.array([[[2.0, 5.0]], [[2.0, 5.0]]]))
        0.5
    """
    truth = np.asarray(targets, np.float64)
    inside = (truth >= quantiles[..., 0]) & (truth <= quantiles[..., -1])
    return float(np.where(np.isnan(truth), np.nan, inside)[np.isfinite(truth)].mean())

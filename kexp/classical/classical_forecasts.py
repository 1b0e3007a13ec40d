"""Classical forecasts of one series from all of its past: naive, seasonal naive, AR, exponential smoothing.

Each has the quantiles of the errors that it made on the past itself, by the step ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

MOST_STEPS = 10_000  # of the past that are gone by, the latest ones
_MOST_ORIGINS = 400  # of the past, from which a method's errors are measured


class QuantileForecast(NamedTuple):
    """What a method forecasts.

    Attributes:
        values: (horizon,).
        quantiles: (horizon, levels).
    """

    values: np.ndarray
    quantiles: np.ndarray


def classical_forecasts(
    past: np.ndarray, horizon: int, season: int, levels: Sequence[float]
) -> dict[str, QuantileForecast]:
    """Return what each method forecasts of the steps after a past, fitted to it alone.

    Args:
        past: (steps,) without gaps, more than two seasons and a horizon.
        horizon: Steps ahead.
        season: Steps after which the series about repeats itself; 1: it has none.
        levels: Of the quantiles, ascending.

    Returns:
        By name: "naive", "seasonal_naive" (with a season alone), "autoregression" (AR(p) by least squares, p
        by Akaike's criterion) and "exponential_smoothing" (additive Holt-Winters with a damped trend, its
        weights those of the least absolute errors over whole horizons of the past).

    Source: Hyndman and Athanasopoulos, "Forecasting: principles and practice", 3rd edition, chapters 5, 8, 9.

    Example:
        >>> found = classical_forecasts(np.tile([1.0, 2.0, 4.0], 20), 3, 3, (0.1, 0.5, 0.9))
        >>> found["naive"].values.tolist(), found["seasonal_naive"].values.tolist()
        ([4.0, 4.0, 4.0], [1.0, 2.0, 4.0])
        >>> found["autoregression"].values.round(6).tolist()
        [1.0, 2.0, 4.0]
    """
    past = np.asarray(past, np.float64)[-MOST_STEPS:]
    first = min(2 * season + 1, len(past) - horizon)
    stride = max(1, (len(past) - horizon - first) // _MOST_ORIGINS)
    origins = np.append(np.arange(first, len(past) - horizon + 1, stride), len(past))
    methods: dict[str, np.ndarray] = {"naive": _repeated(past, origins, horizon, 1)}
    if season > 1:
        methods["seasonal_naive"] = _repeated(past, origins, horizon, season)
    methods["autoregression"] = _autoregression(past, origins, horizon, season)
    methods["exponential_smoothing"] = _smoothed(past, origins, horizon, season)
    truth = past[origins[:-1, None] + np.arange(horizon)]
    return {name: _with_quantiles(values, truth, levels) for name, values in methods.items()}


def _with_quantiles(forecasts: np.ndarray, truth: np.ndarray, levels: Sequence[float]) -> QuantileForecast:
    errors = truth - forecasts[:-1]  # (origins, horizon)
    return QuantileForecast(forecasts[-1], forecasts[-1][:, None] + np.quantile(errors, levels, axis=0).T)


def _repeated(past: np.ndarray, origins: np.ndarray, horizon: int, season: int) -> np.ndarray:
    return past[origins[:, None] - season + np.arange(horizon) % season]


def _autoregression(past: np.ndarray, origins: np.ndarray, horizon: int, season: int) -> np.ndarray:
    most = min(2 * season + 1, len(past) // 5)
    wanted = {1, 2, 3, 6, 12, season, season + 1, 2 * season, 2 * season + 1}
    orders = sorted(order for order in wanted if order <= most) or [1]
    lagged = np.lib.stride_tricks.sliding_window_view(past, orders[-1] + 1)  # the last is what follows
    following, best, weights = lagged[:, -1], np.inf, np.zeros(2)
    for order in orders:
        known = np.column_stack([lagged[:, -1 - order : -1], np.ones(len(lagged))])
        found = np.linalg.lstsq(known, following, rcond=None)[0]
        squares = np.square(following - known @ found).mean()
        criterion = len(following) * np.log(max(squares, 1e-300)) + 2 * (order + 1)
        if criterion < best:
            best, weights = criterion, found
    order = len(weights) - 1
    # Where there is less behind an origin than the order, its first value stands for what was before.
    history = past[np.maximum(origins[:, None] + np.arange(-order, 0), 0)]
    for _ in range(horizon):
        history = np.column_stack([history, history[:, -order:] @ weights[:-1] + weights[-1]])
    return history[:, -horizon:]


_LEVELS = (0.02, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)  # weights of the newest step in the level
_TRENDS = (0.0, 0.01, 0.1)  # and in the trend
_SEASONS = (0.0, 0.05, 0.15, 0.4)  # and in the season
_DAMPINGS = (0.8, 0.98)  # of the trend, by each step


def _smoothed(past: np.ndarray, origins: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """Return the forecasts of the weights with the least errors, of all that are tried side by side."""
    tried = np.array(list(product(_LEVELS, _TRENDS, _SEASONS if season > 1 else (0.0,), _DAMPINGS))).T
    alpha, beta, gamma, phi = tried
    level = np.full(len(alpha), past[:season].mean())
    trend = np.zeros(len(alpha))
    cycle = np.repeat((past[:season] - past[:season].mean())[:, None], len(alpha), axis=1)  # (season, tried)
    damped = np.cumsum(phi ** np.arange(1, horizon + 1)[:, None], axis=0)  # (horizon, tried)
    forecasts, wanted = np.empty((len(origins), horizon, len(alpha))), 0
    for step in range(len(past) + 1):
        if step == origins[wanted]:
            forecasts[wanted] = level + damped * trend + cycle[(step + np.arange(horizon)) % season]
            wanted += 1
            if wanted == len(origins):
                break
        here = step % season
        before = level + phi * trend
        error = past[step] - before - cycle[here]
        level = before + alpha * error
        trend = phi * trend + alpha * beta * error
        cycle[here] = cycle[here] + gamma * (1 - alpha) * error
    truth = past[origins[:-1, None] + np.arange(horizon)]
    errors = np.abs(forecasts[:-1] - truth[..., None]).mean(axis=(0, 1))
    return forecasts[..., int(np.argmin(errors))]

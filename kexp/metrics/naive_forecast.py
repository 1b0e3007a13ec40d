"""Forecasts that need no training, to set beside those that do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kexp.core.errors import InputError

__all__ = ["naive_forecast"]


def naive_forecast(horizon: int, *, season: int = 1) -> Callable[[np.ndarray], np.ndarray]:
    """Return the forecast that a series goes on as it was one season before.

    Source: Hyndman and Athanasopoulos, "Forecasting: principles and practice", 3rd edition, section 5.2.

    Args:
        horizon: Steps that are forecast, 1 or more.
        season: Steps after which the series repeats itself, 1 or more; default 1: the last value stays.

    Returns:
        A function from (samples, history, channels), of which the first channel is forecast, to
        (samples, horizon) float32.

    Raises:
        InputError: From a call, when the history is shorter than a season.

    Example:
        >>> history = np.array([[[1.0], [2.0], [3.0]]])
        >>> naive_forecast(2)(history).tolist(), naive_forecast(4, season=3)(history).tolist()
        ([[3.0, 3.0]], [[1.0, 2.0, 3.0, 1.0]])
    """

    def repeat(history: np.ndarray) -> np.ndarray:
        if history.shape[1] < season:
            raise InputError(
                f"season must be at most the {history.shape[1]} steps of history; received {season}."
            )
        steps = history.shape[1] - season + np.arange(horizon) % season
        return history[:, steps, 0].astype(np.float32)

    return repeat

"""Baselines of forecasts of windows: MASE in units of training, and forecasts that are not trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from kexp.data import ForecastDataset, Split
from kexp.metrics.class_suffixes import class_suffixes
from kexp.metrics.forecast_metrics import mean_absolute_scaled_error
from kexp.metrics.naive_forecast import naive_forecast

__all__ = ["forecast_baselines", "scaled_error"]

Inputs = Mapping[str, np.ndarray]


def scaled_error(data: ForecastDataset) -> Callable[[Split, np.ndarray], float | dict[str, float]]:
    """Return MASE as a metric of a split and the quantiles that were forecast for it.

    The unit is the mean absolute change over a season of each series up to the last training target. Of
    several targets there are the mean, and that of each by what is put after the metric's name.

    Args:
        data: Of `kexp.data.forecast_windows`.

    Example:
        >>> import kexp
        >>> data = kexp.data.forecast_windows("sunspots", context=66, horizon=3, test=40)
        >>> truth = np.repeat(data.test.targets[..., None], 9, axis=-1)
        >>> scaled_error(data)(data.test, truth)
        0.0
    """
    form = data.form
    scales = [data.scales(data.training_end, place) for place in range(len(form.targets))]

    def measure(split: Split, outputs: np.ndarray) -> float | dict[str, float]:
        assert isinstance(split.inputs, Mapping)
        names = split.inputs["series"] if form.series else [data.panel.names[0]] * len(split)
        found = []
        for place, of_series in enumerate(scales):
            own, steps = np.array([of_series[name] for name in names]), form.steps_of(place)
            values = outputs[:, steps, form.middle]
            found.append(mean_absolute_scaled_error(split.targets[:, steps], values, own))
        if not form.others:
            return found[0]
        endings = (f"_{suffix}" for suffix in class_suffixes(form.targets))
        return {"": float(np.mean(found)), **dict(zip(endings, found, strict=True))}

    return measure


def forecast_baselines(data: ForecastDataset) -> dict[str, Callable[[Inputs], np.ndarray]]:
    """Return the naive and, where the context has a season, the seasonal naive forecast of raw inputs.

    All of their quantiles are the one value that they forecast.

    Args:
        data: Of `kexp.data.forecast_windows`.

    Example:
        >>> import kexp
        >>> data = kexp.data.forecast_windows("sunspots", context=66, horizon=3, test=40, season=11)
        >>> found = forecast_baselines(data)
        >>> list(found), found["naive"](data.test.inputs).shape
        (['naive', 'seasonal_naive'], (38, 3, 9))
    """
    form = data.form
    levels = len(form.quantiles)

    def repeated(season: int) -> Callable[[Inputs], np.ndarray]:
        naive = naive_forecast(form.horizon, season=season)

        def continued(inputs: Inputs) -> np.ndarray:
            target = inputs["target"] if form.others else inputs["target"][..., None]
            each = [naive(target[..., [place]]) for place in range(target.shape[-1])]
            return np.repeat(np.concatenate(each, axis=1)[..., None], levels, axis=-1)

        return continued

    seasonal = {"seasonal_naive": repeated(form.season)} if 1 < form.season <= form.context else {}
    return {"naive": repeated(1), **seasonal}

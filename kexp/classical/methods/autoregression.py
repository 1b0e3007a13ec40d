"""Autoregression of a series: the next value is a weighted sum of the last ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from kexp.classical.classical_method import ClassicalMethod, FittedMethod, predicts_numbers
from kexp.classical.series_values import is_forecast
from kexp.data.dataset import Dataset, DatasetSpec, Inputs, Split, single_array

_MOST_LAGS = 60


class Autoregression(ClassicalMethod):
    """AR(p) by least squares, p chosen on what choices are made on; several steps ahead one after the other.

    Several series have one in common, without covariates.

    Source:
        Yule 1927, "On a method of investigating periodicities in disturbed series, with special reference to
        Wolfer's sunspot numbers".
    """

    name: ClassVar[str] = "autoregression"
    work: ClassVar[float] = 1e7
    least_rows: ClassVar[int] = 20

    def applies(self, data: Dataset) -> bool:
        """Return whether targets are the steps that follow the inputs."""
        return predicts_numbers(data.spec) and is_forecast(data)

    def row_work(self, data: Dataset) -> float:
        """Return the square of the lags that are tried, and a bit for the steps ahead."""
        form = data.spec.forecast_form
        steps = data.spec.input_shape[0] if form is None else form.context
        return min(steps, _MOST_LAGS) ** 2 + data.spec.outputs

    def title(self, spec: DatasetSpec) -> str:
        """Return its name."""
        return self.name

    def fit(self, train: Split, choice: Split, spec: DatasetSpec, seed: int) -> FittedMethod:
        """Fit every order to the training windows, and keep the one of the least error."""
        history, horizon = _history(train.inputs), spec.outputs
        following = np.asarray(train.targets, np.float64)[:, 0]
        known, truth = _history(choice.inputs), np.asarray(choice.targets, np.float64)
        # More lags than half of the windows would fit them by heart.
        most = max(1, min(history.shape[1], _MOST_LAGS, len(history) // 2 - 1))
        tried = [_least_squares(history[:, -order:], following) for order in range(1, most + 1)]
        with np.errstate(all="ignore"):  # some orders grow without end
            errors = [np.square(_forecast(known, weights, horizon) - truth).mean() for weights in tried]
        weights = tried[int(np.argmin(np.nan_to_num(errors, nan=np.inf)))]

        def predict(inputs: Inputs) -> np.ndarray:
            values = _forecast(_history(inputs), weights, horizon).astype(np.float32)
            if spec.forecast_form is None:
                return values
            # It has no quantiles: each is the value.
            return np.repeat(values[..., None], len(spec.forecast_form.quantiles), axis=-1)

        return FittedMethod(predict, f"Autoregression AR({len(weights) - 1})")


def _history(inputs: Inputs) -> np.ndarray:  # (samples, steps) float64
    """Return the past of what is forecast: the target by name, or the first channel."""
    if isinstance(inputs, Mapping):
        return np.asarray(inputs["target"], np.float64)
    return np.asarray(single_array(inputs))[:, :, 0].astype(np.float64)


def _least_squares(lagged: np.ndarray, following: np.ndarray) -> np.ndarray:  # (lags + 1,)
    """Return the weights of the lags, the oldest first, and the constant."""
    with_constant = np.column_stack([lagged, np.ones(len(lagged))])
    return np.linalg.lstsq(with_constant, following, rcond=None)[0]


def _forecast(history: np.ndarray, weights: np.ndarray, horizon: int) -> np.ndarray:  # (samples, horizon)
    """Return forecasts that are made of the ones before them."""
    order = len(weights) - 1
    for _ in range(horizon):
        following = history[:, -order:] @ weights[:-1] + weights[-1]
        history = np.column_stack([history, following])
    return history[:, -horizon:]

"""Classical forecasts: each is what its definition says, with the errors of the past for its quantiles."""

import numpy as np
import pytest

from kexp.classical.classical_forecasts import classical_forecasts

LEVELS = (0.1, 0.5, 0.9)


def autoregressive(steps, seed):
    random = np.random.default_rng(seed)
    series = np.zeros(steps)
    for step in range(2, steps):
        series[step] = 1.2 * series[step - 1] - 0.5 * series[step - 2] + random.normal()
    return series


def test_naive_forecasts_repeat_the_last_step_and_the_last_season():
    past = autoregressive(300, 0)
    found = classical_forecasts(past, 5, 4, LEVELS)
    assert found["naive"].values.tolist() == [past[-1]] * 5
    assert found["seasonal_naive"].values.tolist() == [*past[-4:], past[-4]]
    assert "seasonal_naive" not in classical_forecasts(past, 5, 1, LEVELS)


def test_an_autoregression_is_found_again():
    past = autoregressive(3000, 1)
    values = classical_forecasts(past, 2, 1, LEVELS)["autoregression"].values
    first = 1.2 * past[-1] - 0.5 * past[-2]
    assert values == pytest.approx([first, 1.2 * first - 0.5 * past[-1]], abs=0.15)


def test_exponential_smoothing_follows_a_season_and_a_level():
    step = np.arange(240)
    past = 50 + 10 * np.sin(2 * np.pi * step / 12) + np.random.default_rng(2).normal(0, 0.1, 240)
    values = classical_forecasts(past, 12, 12, LEVELS)["exponential_smoothing"].values
    assert values == pytest.approx(50 + 10 * np.sin(2 * np.pi * np.arange(240, 252) / 12), abs=0.5)


def test_quantiles_are_those_of_the_errors_on_the_past():
    past = np.cumsum(np.random.default_rng(3).normal(size=600))
    found = classical_forecasts(past, 4, 1, LEVELS)["naive"]
    errors = np.array([past[first : first + 4] - past[first - 1] for first in range(3, 597)])
    assert found.quantiles == pytest.approx(past[-1] + np.quantile(errors, LEVELS, axis=0).T)
    wide = found.quantiles[:, 2] - found.quantiles[:, 0]
    assert wide[3] > 1.5 * wide[0]

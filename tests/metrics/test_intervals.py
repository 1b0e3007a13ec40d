"""Intervals of metrics hold what they are to hold, as often as they say, on samples whose truth is known."""

import numpy as np
import pytest

import kexp
from kexp.metrics.intervals import error_intervals, share_interval


def test_an_interval_of_a_share_holds_the_true_one_in_about_95_of_100_draws():
    random = np.random.default_rng(0)
    held = [low <= 0.9 <= high for low, high in (share_interval(random.random(60) < 0.9) for _ in range(400))]
    assert 0.92 <= np.mean(held) <= 0.985


def test_a_share_of_all_has_an_interval_below_it():
    low, high = share_interval(np.ones(20, bool))
    assert 0.8 < low < 0.9
    assert high == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "truth"), [("root_mean_squared_error", 1.0), ("mean_absolute_error", np.sqrt(2 / np.pi))]
)
def test_intervals_of_errors_hold_those_of_endless_data(name, truth):
    random = np.random.default_rng(1)
    drawn = (error_intervals(np.zeros((100, 1)), random.normal(size=(100, 1)))[name] for _ in range(80))
    held = [low <= truth <= high for low, high in drawn]
    assert 0.86 <= np.mean(held) <= 0.99


def test_the_record_of_a_run_has_the_interval_of_its_figures(digits_run):
    result = kexp.load(digits_run)
    for name in ("val_accuracy", "test_accuracy"):
        low, high = result.intervals[name]
        assert low < result.metrics[name] < high

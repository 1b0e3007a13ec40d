"""Metrics know their range, and intervals of their means stay within it without holding less."""

import math

import numpy as np
import pytest

from kexp.metrics.bounds import metric_bounds
from kexp.sweep.seed_comparison import Estimate


def test_the_bounds_of_a_metric_are_known_by_its_name():
    shares = (
        "test_accuracy",
        "val_auroc",
        "test_macro_f1",
        "f1_setosa",
        "val_map",
        "test_recognised_cnn_100",
    )
    assert {metric_bounds(name) for name in shares} == {(0.0, 1.0)}
    errors = ("test_root_mean_squared_error", "val_log_loss", "test_brier", "test_word_error_rate")
    assert {metric_bounds(name) for name in (*errors, "val_frechet_cnn_1000")} == {(0.0, math.inf)}
    assert metric_bounds("test_r2") == (-math.inf, 1.0)
    unknown = ("val_loss", "my_gain", "neg_mean_squared_error", "one_minus_auc", "val_kernel_cnn_100")
    assert {metric_bounds(name) for name in unknown} == {(-math.inf, math.inf)}


def test_the_interval_of_an_accuracy_is_one_of_accuracies():
    found = Estimate.of([0.99, 0.86, 1.0], bounds=metric_bounds("test_accuracy"))
    assert 0 < found.low < found.mean < found.high < 1
    assert Estimate.of([0.99, 0.86, 1.0]).high > 1.1
    in_percent = Estimate.of([99.0, 86.0, 100.0], bounds=metric_bounds("test_accuracy"))
    assert in_percent == Estimate.of([99.0, 86.0, 100.0])
    error = Estimate.of([0.1, 0.5, 0.1], bounds=metric_bounds("test_root_mean_squared_error"))
    assert (error.low, error.high) == (0.0, Estimate.of([0.1, 0.5, 0.1]).high)


@pytest.mark.parametrize(("mean", "deviation"), [(0.6, 0.02), (0.9, 0.1), (0.97, 0.02)])
def test_near_a_bound_it_holds_the_mean_as_often_as_it_says(mean, deviation):
    size = mean * (1 - mean) / deviation**2 - 1
    accuracies = np.random.default_rng(0).beta(mean * size, (1 - mean) * size, (2000, 5))
    held = np.mean([Estimate.of(row, bounds=(0.0, 1.0)).holds(mean) for row in accuracies.tolist()])
    assert 0.93 < held < 0.97


def test_far_from_the_bounds_it_is_students():
    values = [0.61, 0.60, 0.62, 0.61]
    bounded, free = Estimate.of(values, bounds=(0.0, 1.0)), Estimate.of(values)
    assert (bounded.low, bounded.high) == pytest.approx((free.low, free.high), abs=5e-4)

"""Metrics of forecasts are the sums of their formulas."""

import numpy as np
import pytest

from kexp.metrics import (
    mean_absolute_scaled_error,
    pinball,
    quantile_coverage,
    symmetric_percentage_error,
    weighted_quantile_loss,
)

LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture
def drawn():
    random = np.random.default_rng(3)
    targets = random.normal(50, 20, size=(40, 6))
    quantiles = np.sort(random.normal(50, 20, size=(40, 6, 3)), axis=-1)
    return targets, quantiles


def test_each_metric_is_its_formula_step_by_step(drawn):
    targets, quantiles = drawn
    scales = np.linspace(1, 4, 40)
    scaled, shares, lost = [], [], []
    for row in range(40):
        for step in range(6):
            truth, value = targets[row, step], quantiles[row, step, 1]
            scaled.append(abs(truth - value) / scales[row])
            shares.append(200 * abs(truth - value) / (abs(truth) + abs(value)))
            for level, quantile in zip(LEVELS, quantiles[row, step], strict=True):
                off = truth - quantile
                lost.append(level * off if off > 0 else (level - 1) * off)
    values = quantiles[..., 1]
    assert mean_absolute_scaled_error(targets, values, scales) == pytest.approx(np.mean(scaled))
    assert symmetric_percentage_error(targets, values) == pytest.approx(np.mean(shares))
    assert pinball(targets, quantiles, LEVELS).sum() == pytest.approx(sum(lost))
    wql = 2 * sum(lost) / 3 / np.abs(targets).sum()
    assert weighted_quantile_loss(targets, quantiles, LEVELS) == pytest.approx(wql)
    inside = (targets > quantiles[..., 0]) & (targets < quantiles[..., 2])
    assert quantile_coverage(targets, quantiles) == pytest.approx(inside.mean())


def test_the_loss_of_training_is_the_weighted_quantile_loss_before_its_weight(drawn):
    from kexp.metrics.training.pinball_loss import PinballLoss

    targets, quantiles = drawn
    trained = float(PinballLoss(LEVELS)(targets.astype("float32"), quantiles.astype("float32")))
    whole = weighted_quantile_loss(targets, quantiles, LEVELS) * np.abs(targets).mean()
    assert trained == pytest.approx(whole, rel=1e-5)


def test_steps_that_are_not_known_count_nothing(drawn):
    targets, quantiles = drawn
    targets[:, 3:] = np.nan
    known, own = targets[:, :3], quantiles[:, :3]
    for metric in (symmetric_percentage_error, lambda y, f: mean_absolute_scaled_error(y, f, 2.0)):
        assert metric(targets, quantiles[..., 1]) == pytest.approx(metric(known, own[..., 1]))
    assert weighted_quantile_loss(targets, quantiles, LEVELS) == pytest.approx(
        weighted_quantile_loss(known, own, LEVELS)
    )

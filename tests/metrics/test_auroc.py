"""The interval of an area under the curve holds the area, near 1 and where the scores separate too."""

import numpy as np
import pytest
from scipy.stats import norm

from kexp.data import Split
from kexp.metrics.auroc import area_interval, area_under_roc


@pytest.mark.parametrize(
    ("area", "count", "others", "deviation"),
    [
        (0.97, 8, 40, 1.0),
        (0.97, 20, 20, 3.0),
        (0.995, 20, 20, 1.0),
        (0.995, 50, 200, 3.0),
        (0.8, 20, 60, 1.0),
    ],
)
def test_about_95_of_100_intervals_have_the_area_in_them(area, count, others, deviation):
    random = np.random.default_rng(0)
    shift = norm.ppf(area) * np.sqrt(1 + deviation**2)
    held = 0
    for _ in range(400):
        low, high = area_interval(random.normal(shift, deviation, count), random.normal(size=others))
        held += low <= area <= high
    assert held / 400 > 0.93


def test_scores_that_separate_leave_it_open_how_surely_they_do():
    few, many = (area_interval(np.arange(size) + size, np.arange(size)) for size in (10, 1000))
    assert 0.75 < few[0] < 0.85
    assert 0.995 < many[0] < 1
    assert few[1] == many[1] == 1.0


def test_the_other_way_round_it_is_mirrored_and_ties_count_half():
    random = np.random.default_rng(0)
    one, other = random.integers(0, 5, 30), random.integers(1, 7, 20)
    low, high = area_interval(one, other)
    assert area_interval(other, one) == pytest.approx((1 - high, 1 - low), abs=1e-9)
    found = area_under_roc(
        Split(np.zeros(50), np.r_[np.ones(30, int), np.zeros(20, int)]), {"anomaly_score": np.r_[one, other]}
    )
    pairs = (one[:, None] > other) + 0.5 * (one[:, None] == other)
    assert found[""] == pytest.approx(pairs.mean())
    assert (found["_low95"], found["_high95"]) == (low, high)

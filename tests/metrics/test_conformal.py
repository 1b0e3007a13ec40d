"""Conformal quantiles cover what they promise, and a temperature is the one that was planted."""

import numpy as np
import pytest
from scipy.stats import binom

from kexp.core.errors import InputError
from kexp.metrics.conformal import conformal_quantile, coverage_by_chance, drawn_of_groups, samples_needed
from kexp.metrics.temperature_scaling import best_temperature, mean_log_loss
from kexp.tasks.class_choice import class_logits, class_probabilities, tempered


@pytest.mark.parametrize(("count", "level"), [(9, 0.9), (50, 0.8), (99, 0.9), (120, 0.95)])
def test_exchangeable_scores_are_covered_within_binomial_bounds(count, level):
    trials = 4000
    scores = np.random.default_rng(count).exponential(size=(count + 1, trials))
    covered = int((scores[-1] <= conformal_quantile(scores[:-1], level)).sum())
    # Of continuous scores the coverage is exactly rank / (n + 1).
    exact = np.ceil(np.round((count + 1) * level, 6)) / (count + 1)
    assert level <= exact < level + 1 / count
    low, high = binom.ppf([1e-5, 1 - 1e-5], trials, exact)
    assert low <= covered <= high


@pytest.mark.parametrize(("count", "samples"), [(53, 88), (37, 38), (400, 1000)])
def test_coverage_by_chance_has_what_exchangeable_scores_are_covered_by(count, samples):
    trials = 2000
    scores = np.random.default_rng(count).exponential(size=(count + samples, trials))
    shares = (scores[count:] <= conformal_quantile(scores[:count], 0.9)).mean(axis=0)
    low, high = coverage_by_chance(count, samples, 0.9)
    # 95 % of the draws, or more, since shares are multiples of 1 / samples; 2.5 % at most on either side.
    assert 0.94 < ((shares >= low) & (shares <= high)).mean() < 0.985
    assert (shares < low).mean() < 0.035
    assert (shares > high).mean() < 0.035


def test_the_quantile_is_that_of_each_column_and_ties_are_kept():
    scores = np.stack([np.arange(1, 20), np.repeat(3, 19)], axis=1)
    assert conformal_quantile(scores, 0.9).tolist() == [18, 3]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
def test_too_few_samples_are_refused_with_the_number_that_is_enough(level):
    needed = samples_needed(level)
    assert conformal_quantile(np.arange(needed), level) == needed - 1
    with pytest.raises(InputError, match=f"needs {needed} validation samples .* are {needed - 1}"):
        conformal_quantile(np.arange(needed - 1), level)


def test_one_row_of_each_group_is_drawn():
    groups = np.repeat(np.arange(30), 4)
    rows = drawn_of_groups(groups)
    assert groups[rows].tolist() == list(range(30))
    assert len(set(rows % 4)) > 1


def test_grouped_scores_are_covered_where_all_rows_would_promise_too_much():
    generator, covered = np.random.default_rng(0), 0
    trials, groups = 1500, np.repeat(np.arange(19), 20)
    for _ in range(trials):
        means = np.repeat(generator.normal(size=20), 20)
        scores = np.abs(means + 0.1 * generator.normal(size=400))
        seed = int(generator.integers(2**31))
        covered += scores[-1] <= conformal_quantile(scores[:380][drawn_of_groups(groups, seed)], 0.9)
    assert binom.ppf(1e-5, trials, 0.9) <= covered <= binom.ppf(1 - 1e-5, trials, 0.9)


def test_a_planted_temperature_is_found():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(20_000, 5)) * 2
    targets = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)  # drawn by softmax of the logits
    for planted in (0.5, 1.0, 3.0):
        found = best_temperature(logits * planted, targets)
        assert found == pytest.approx(planted, rel=0.03)
        assert mean_log_loss(logits * planted / found, targets) <= mean_log_loss(logits, targets) + 1e-9


def test_no_temperature_is_best_where_nothing_is_mistaken():
    with pytest.raises(InputError, match="all 3 are right, by which no temperature is the best"):
        best_temperature(np.eye(3), np.arange(3))


def test_logits_of_one_unit_are_kept_where_probabilities_have_run_out():
    logits = class_logits(np.array([[40.0], [-40.0]], np.float32), from_probabilities=False)
    assert mean_log_loss(logits, np.array([0, 1])) == 40
    with pytest.raises(InputError, match="ends in a sigmoid"):
        class_logits(np.array([[0.5]]), from_probabilities=True)


@pytest.mark.parametrize("units", [1, 4])
def test_logits_and_probabilities_come_to_the_same_by_a_temperature(units):
    logits = np.random.default_rng(0).normal(size=(50, units)).astype(np.float32) * 5
    shares = class_probabilities(logits, from_probabilities=False)
    given = shares[:, 1:] if units == 1 else shares
    found = class_probabilities(logits, from_probabilities=False, temperature=2.5)
    again = class_probabilities(given, from_probabilities=True, temperature=2.5)
    np.testing.assert_allclose(again, found, atol=1e-5)
    assert found.dtype == again.dtype == np.float32
    np.testing.assert_array_equal(found.argmax(axis=1), shares.argmax(axis=1))
    np.testing.assert_allclose(tempered(found, 1 / 2.5), shares, atol=1e-5)

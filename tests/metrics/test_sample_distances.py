"""Figures of generated samples equal closed forms, grow with what is wrong, and tell what is missing."""

import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.metrics.sample_distances import (
    bootstrap_interval,
    class_histogram,
    frechet_distance,
    kernel_distance,
    nearest,
    precision_recall,
)

RANDOM = np.random.default_rng(0)
CENTRES = 2 * np.eye(10)  # as far from each other all


def mixture(classes, noise=0.0, seed=1):
    """Return features of 600 samples of the first classes, moved by noise of that deviation."""
    x = np.repeat(CENTRES[:classes], 600 // classes, axis=0)
    random = np.random.default_rng(seed)
    return x + random.normal(0, 0.15, x.shape) + noise * random.normal(size=x.shape)


REAL = mixture(10, seed=0)


def exactly(mean, covariance, count=300):
    """Return features with just this mean and covariance."""
    x = RANDOM.normal(size=(count, len(mean)))
    x -= x.mean(axis=0)
    whitened = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    return whitened @ np.linalg.cholesky(covariance).T + mean


def covariance(size):
    root = RANDOM.normal(size=(size, size))
    return root @ root.T / size + 0.1 * np.eye(size)


def test_the_frechet_distance_of_normal_features_is_the_formula_s():
    from scipy.linalg import sqrtm

    first, second = covariance(6), covariance(6)
    gap = RANDOM.normal(size=6)
    expected = gap @ gap + np.trace(first + second - 2 * sqrtm(first @ second).real)
    one, other = exactly(np.zeros(6), first), exactly(gap, second)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(other, one) == pytest.approx(expected, rel=1e-9)
    drawn = [RANDOM.multivariate_normal(mean, c, 20_000) for mean, c in ((gap * 0, first), (gap, second))]
    assert frechet_distance(*drawn) == pytest.approx(expected, rel=0.05)


def test_the_frechet_distance_of_commuting_covariances_is_that_of_their_deviations():
    one, other = exactly(np.zeros(3), np.diag([1.0, 4.0, 9.0])), exactly(np.ones(3), np.diag([4.0, 4.0, 1.0]))
    assert frechet_distance(one, other) == pytest.approx(3 + 1 + 0 + 4, rel=1e-9)


def test_the_frechet_distance_is_exact_with_fewer_samples_than_features():
    few = RANDOM.normal(size=(10, 50))
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(few, 3 * few) == pytest.approx(
        4 * np.sum(few.mean(axis=0) ** 2) + 4 * np.trace(np.cov(few.T)), rel=1e-9
    )


def test_the_kernel_distance_is_its_definition():
    real, fake = RANDOM.normal(size=(7, 3)), RANDOM.normal(size=(5, 3)) + 1

    def mean(one, other, same):
        pairs = [
            (x @ y / 3 + 1) ** 3
            for i, x in enumerate(one)
            for j, y in enumerate(other)
            if not (same and i == j)
        ]
        return np.mean(pairs)

    expected = mean(real, real, True) + mean(fake, fake, True) - 2 * mean(real, fake, False)
    assert kernel_distance(real, fake) == pytest.approx(expected)
    assert kernel_distance(fake, real) == pytest.approx(expected)


def test_the_kernel_distance_of_normal_numbers_is_the_closed_form():
    # The kernel is the sum of C(3, j) xʲyʲ, so the distance is that of the moments, so weighted.
    moments = [np.array([0.0, 1.0, 0.0]), np.array([0.5, 0.25 + 4, 0.125 + 3 * 0.5 * 4])]
    expected = np.sum(np.array([3, 3, 1]) * (moments[0] - moments[1]) ** 2)
    one, other = RANDOM.normal(size=(3000, 1)), RANDOM.normal(0.5, 2.0, size=(3000, 1))
    assert kernel_distance(one, other) == pytest.approx(expected, rel=0.1)


def test_the_kernel_distance_has_no_bias_where_the_frechet_distance_has():
    kernel, frechet = [], []
    for _ in range(400):
        one, other = RANDOM.normal(size=(2, 20, 4))
        kernel.append(kernel_distance(one, other))
        frechet.append(frechet_distance(one, other))
    assert abs(np.mean(kernel)) < 3 * np.std(kernel) / np.sqrt(400)
    assert min(kernel) < 0
    assert np.mean(frechet) > 0.3


def test_figures_of_equal_sets_are_perfect():
    assert frechet_distance(REAL, REAL) == pytest.approx(0, abs=1e-9)
    assert -0.02 * kernel_distance(REAL, REAL + 1) < kernel_distance(REAL, REAL) < 0
    assert precision_recall(REAL, REAL) == (1.0, 1.0)
    repeated = np.repeat(REAL[:50], 5, axis=0)  # whose nearest neighbours are themselves
    assert precision_recall(repeated, repeated) == (1.0, 1.0)


def test_distances_grow_and_precision_falls_with_noise():
    fakes = [mixture(10, noise=noise) for noise in (0.0, 0.3, 0.6, 1.2)]
    for distance in (frechet_distance, kernel_distance):
        figures = [distance(REAL, fake) for fake in fakes]
        assert figures == sorted(figures)
        assert figures[-1] > 5 * abs(figures[1])
    precisions = [precision_recall(REAL, fake)[0] for fake in fakes]
    assert precisions == sorted(precisions, reverse=True)
    assert precisions[0] > 0.8
    assert precisions[-1] < 0.2


def test_distances_grow_and_recall_falls_with_kinds_that_are_missing():
    kinds = (10, 6, 3, 1)
    fakes = [mixture(classes) for classes in kinds]
    for distance in (frechet_distance, kernel_distance):
        figures = [distance(REAL, fake) for fake in fakes]
        assert figures == sorted(figures)
    for classes, fake in zip(kinds, fakes, strict=True):
        precision, recall = precision_recall(REAL, fake)
        assert precision > 0.8
        assert 0.75 * classes / 10 < recall <= classes / 10
        assert precision_recall(fake, REAL) == (recall, precision)


def test_large_sets_are_compared_in_blocks_of_rows(monkeypatch):
    fake = mixture(6, noise=0.3)
    whole = kernel_distance(REAL, fake), *precision_recall(REAL, fake, k=2)
    monkeypatch.setattr("kexp.metrics.sample_distances.BLOCK_SIZE", 37)
    assert (kernel_distance(REAL, fake), *precision_recall(REAL, fake, k=2)) == pytest.approx(whole)


def test_the_share_of_each_class_is_counted():
    np.testing.assert_array_equal(class_histogram(np.array([3, 0, 3, 3]), 5), [0.25, 0, 0, 0.75, 0])


def test_the_nearest_training_sample_of_a_copy_is_the_one_it_was_copied_from():
    picked = RANDOM.permutation(len(REAL))[:40]
    np.testing.assert_array_equal(nearest(REAL, REAL[picked] + 1e-6), picked)


def test_the_interval_holds_the_true_figure_as_often_as_it_says():
    def gap(one, other):
        return float(one.mean() - other.mean())

    held = 0
    for seed in range(200):
        one, other = RANDOM.normal(1, 1, size=(60, 1)), RANDOM.normal(0, 2, size=(80, 1))
        low, high = bootstrap_interval(gap, one, other, resamples=100, seed=seed)
        assert low < gap(one, other) < high
        held += low <= 1 <= high
    assert 0.89 <= held / 200 <= 0.98


def test_an_interval_comes_again_with_its_seed_and_narrows_with_confidence():
    real, fake = REAL[::4], mixture(10, noise=0.3)[::4]
    for distance in (frechet_distance, kernel_distance):
        low, high = bootstrap_interval(distance, real, fake, 40, 1)
        assert low < distance(real, fake) < high
        assert (low, high) == bootstrap_interval(distance, real, fake, 40, 1)
        assert (low, high) != bootstrap_interval(distance, real, fake, 40, 2)
        inner = bootstrap_interval(distance, real, fake, 40, 1, confidence=0.5)
        assert low < inner[0] < inner[1] < high


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (
            frechet_distance,
            (REAL[0], REAL),
            r"real must be of shape \(samples, features\), 2 samples or more",
        ),
        (kernel_distance, (REAL, REAL[:1]), r"fake must be .* 2 samples or more; received shape \(1, 10\)"),
        (kernel_distance, (REAL, REAL[:, :3]), "fake must have as many features as real, 10; received 3"),
        (frechet_distance, (REAL * np.nan, REAL), "real must be finite numbers; received NaN"),
        (precision_recall, (REAL, REAL[:3]), "k must be a whole number, from 1 to 2; received 3"),
        (nearest, (REAL, REAL[0]), r"samples must be of shape \(samples, features\), 1 samples or more"),
        (class_histogram, ([0, 5], 5), "labels must be from 0 to 4; received 0 to 5"),
        (class_histogram, ([0.5], 5), "labels must be whole numbers .* received float64 of shape"),
        (class_histogram, ([], 5), "labels must be whole numbers"),
        (bootstrap_interval, (np.dot, REAL[:3], REAL), "real must be .* 4 samples or more"),
        (bootstrap_interval, (np.dot, REAL, REAL, 1), "resamples must be a whole number, 2 or more"),
        (bootstrap_interval, (np.dot, REAL, REAL, 9, 0, 1.0), "confidence must be above 0 and below 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(function, arguments, message):
    with pytest.raises(InputError, match=message):
        function(*arguments)

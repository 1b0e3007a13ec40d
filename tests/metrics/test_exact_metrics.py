"""Exact metrics are scikit-learn's, and what a split does not define is left out in silence."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as sklearn

from kexp.metrics import (
    best_thresholds,
    binary_metrics,
    multiclass_metrics,
    multilabel_metrics,
    regression_metrics,
)

RNG = np.random.default_rng(0)


def probabilities(samples, classes):
    logits = RNG.normal(size=(samples, classes))
    return (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype("float32")


def test_those_of_two_classes_are_scikit_learns():
    targets, shares = RNG.integers(0, 2, 500), probabilities(500, 2)
    positive, chosen = shares[:, 1], shares[:, 1] > 0.5
    assert binary_metrics(targets, shares) == pytest.approx(
        {
            "accuracy": sklearn.accuracy_score(targets, chosen),
            "balanced_accuracy": sklearn.balanced_accuracy_score(targets, chosen),
            "auroc": sklearn.roc_auc_score(targets, positive),
            "average_precision": sklearn.average_precision_score(targets, positive),
            "f1": sklearn.f1_score(targets, chosen),
            "log_loss": sklearn.log_loss(targets, positive),
            "brier": sklearn.brier_score_loss(targets, positive),
        },
        abs=1e-6,
    )


def test_those_of_more_classes_are_scikit_learns():
    targets, shares = RNG.integers(0, 4, 500), probabilities(500, 4)
    chosen, exact = shares.argmax(axis=1), shares / shares.sum(axis=1, keepdims=True, dtype="float64")
    assert multiclass_metrics(targets, shares) == pytest.approx(
        {
            "accuracy": sklearn.accuracy_score(targets, chosen),
            "balanced_accuracy": sklearn.balanced_accuracy_score(targets, chosen),
            "macro_f1": sklearn.f1_score(targets, chosen, average="macro"),
            "auroc": sklearn.roc_auc_score(targets, exact, multi_class="ovr"),
            "log_loss": sklearn.log_loss(targets, exact),
        }
    )


def test_those_of_labels_are_scikit_learns_at_the_thresholds():
    targets, shares = RNG.integers(0, 2, (300, 3)), RNG.random((300, 3)).astype("float32")
    thresholds = best_thresholds(targets, shares)
    given = shares > np.float32(thresholds)
    assert multilabel_metrics(targets, shares, thresholds) == pytest.approx(
        {
            "map": sklearn.average_precision_score(targets, shares),
            "micro_f1": sklearn.f1_score(targets, given, average="micro"),
            "macro_f1": sklearn.f1_score(targets, given, average="macro"),
            "subset_accuracy": sklearn.accuracy_score(targets, given),
        }
    )


def test_those_of_several_numbers_are_scikit_learns_for_each_and_for_all():
    targets = RNG.normal(size=(200, 2)) * (1, 10)
    values = (targets + RNG.normal(size=(200, 2))).astype("float32")
    found = regression_metrics(targets, values, ("Height", "km/h"))
    assert found["r2"] == pytest.approx(sklearn.r2_score(targets, values))
    assert found["root_mean_squared_error"] == pytest.approx(np.sqrt(np.mean((targets - values) ** 2)))
    assert found["r2_km_h"] == pytest.approx(sklearn.r2_score(targets[:, 1], values[:, 1]))
    assert found["mean_absolute_error_height"] == pytest.approx(np.abs(targets - values)[:, 0].mean())
    assert len(found) == 9
    assert set(regression_metrics(targets, values)) == {
        *("root_mean_squared_error", "mean_absolute_error", "r2"),
        *(
            f"{name}_{index}"
            for name in ("root_mean_squared_error", "mean_absolute_error", "r2")
            for index in (0, 1)
        ),
    }


def test_a_threshold_has_the_largest_f1_of_all_there_are():
    def f1(truth, given):
        return 2 * (truth & given).sum() / (truth.sum() + given.sum())

    for _ in range(50):
        truth, shares = RNG.random(15) < 0.5, RNG.random(15).astype("float32").round(1)
        (threshold,) = best_thresholds(truth[:, None], shares[:, None])
        tried = [f1(truth, shares > cut) for cut in np.linspace(0, 1, 201)]
        assert f1(truth, shares > threshold) == pytest.approx(max(tried))
    assert best_thresholds(np.zeros((5, 1)), RNG.random((5, 1))) == (0.5,)


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (lambda: binary_metrics(np.zeros(9, int), probabilities(9, 2)), {"accuracy", "log_loss", "brier"}),
        (
            lambda: multiclass_metrics(np.array([0, 1, 1]), probabilities(3, 3)),
            {"accuracy", "balanced_accuracy", "macro_f1", "log_loss"},
        ),
        (lambda: multilabel_metrics(np.zeros((9, 2)), RNG.random((9, 2))), {"subset_accuracy"}),
        (
            lambda: regression_metrics(np.ones((9, 1)), RNG.random((9, 1))),
            {"root_mean_squared_error", "mean_absolute_error"},
        ),
        (
            lambda: regression_metrics(np.ones((1, 1)), RNG.random((1, 1))),
            {"root_mean_squared_error", "mean_absolute_error"},
        ),
        (lambda: binary_metrics(np.array([0, 1]), np.full((2, 2), np.nan)), set()),
        (lambda: multiclass_metrics(np.array([0, 1, 2]), np.full((3, 3), np.inf)), set()),
        (lambda: multilabel_metrics(np.ones((2, 2)), np.full((2, 2), np.nan)), set()),
        (lambda: regression_metrics(np.array([[0.0], [1.0]]), np.full((2, 1), np.nan)), set()),
    ],
)
def test_what_is_not_defined_is_left_out_without_a_warning(found, names):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found().keys() == names

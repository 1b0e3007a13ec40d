"""The page draws how a decision depends on its threshold, whether probabilities hold, and residuals."""

import re

import numpy as np
import pytest

from kexp.data import Dataset, DatasetSpec, Split
from kexp.metrics.reliability import reliability
from kexp.report import run_page
from kexp.report.threshold_curves import threshold_curves
from kexp.tasks.predictions import Predictions
from tests.report.test_mistakes import answering, arrays, cells_of
from tests.report.test_run_page import planted
from tests.report.test_sweep_page import HOSTILE, Reader


def test_areas_and_figures_by_threshold_are_those_of_scikit_learn_ties_included():
    from sklearn import metrics

    generator = np.random.default_rng(0)
    positive = generator.random(300) < 0.3
    scores = np.round(0.3 * positive + generator.random(300), 1)
    curves = threshold_curves(positive, scores)
    assert curves.auroc == pytest.approx(metrics.roc_auc_score(positive, scores))
    assert curves.average_precision == pytest.approx(metrics.average_precision_score(positive, scores))
    for threshold in (0.05, 0.3, 0.95):
        taken = scores >= threshold
        expected = metrics.precision_recall_fscore_support(positive, taken, average="binary")[:3]
        assert curves.at(threshold) == pytest.approx(expected)
    assert curves.at(9.0) == (1.0, 0.0, 0.0)
    assert threshold_curves(np.ones(3), scores[:3]) is None


def test_the_calibration_error_weighs_the_gap_of_each_bin_by_its_samples():
    found = reliability(np.array([1.0, 0.91, 0.9, 0.85, 0.05]), np.array([1, 0, 1, 1, 0]))
    assert found.counts.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 2, 2]
    gaps = [0.05, abs(1 - 0.875), abs(0.5 - 0.955)]
    assert found.error == pytest.approx((gaps[0] + 2 * gaps[1] + 2 * gaps[2]) / 5)


@pytest.fixture(scope="module")
def binary_page(tmp_path_factory):
    share = np.linspace(0.02, 0.98, 50)
    truth = (share + 0.2 * np.sin(np.arange(50)) > 0.5).astype(np.int32)
    inputs = np.arange(50, dtype=np.float32)[:, None]
    folder = tmp_path_factory.mktemp("binary")
    return answering(
        folder, arrays(2, ("no", HOSTILE[0])), inputs, truth, np.stack([1 - share, share], axis=1)
    )


def test_a_classifier_of_two_classes_has_its_curves_in_pictures_words_and_a_table(binary_page):
    reader = Reader(binary_page)
    assert not reader.open
    assert reader.count("script") == 1
    assert f"by the probability of {HOSTILE[0]}" in reader.text
    labels = [fields["aria-label"] for tag, fields in reader.elements if tag == "svg"]
    assert any(label.startswith("ROC: recall over false alarms; the area is 0.9") for label in labels)
    assert any(label.startswith("Precision over recall; the average precision is") for label in labels)
    assert len(cells_of(binary_page, "threshold</span>")) == 9
    section = binary_page[binary_page.index("<h2>Two classes") :]
    assert "var(--level-6)" in section
    assert not re.search(r"(fill|stroke): #(?!0102)", section)


def test_the_reliability_diagram_says_its_error_and_lists_its_bins(binary_page):
    text = Reader(binary_page).text
    assert re.search(r"The expected calibration error \(Guo et al. 2017\) is 0\.\d\d\d", text)
    rows = cells_of(binary_page, 'probability</span></th><th scope="col" class="number"><span>samples')
    assert [row[0] for row in rows] == [[f"0.{n}", "to", f"{(n + 1) / 10:.1f}"] for n in range(5, 10)]
    assert sum(int(row[1][0]) for row in rows) == 50


def test_curves_are_of_two_classes_that_are_both_there(tmp_path):
    inputs = np.arange(4, dtype=np.float32)[:, None]
    for folder, classes in (("three", 3), ("one", 2)):
        (tmp_path / folder).mkdir()
        probabilities = np.full((4, classes), 1 / classes)
        truth = np.zeros(4, np.int32) if classes == 2 else np.array([0, 1, 2, 0], np.int32)
        page = answering(tmp_path / folder, arrays(classes), inputs, truth, probabilities)
        assert "<h2>Two classes" not in page
        assert "<h2>Reliability" in page


def test_a_regression_has_truth_and_residuals_of_each_target(tmp_path):
    spec = DatasetSpec(
        "array", (1,), "float32", "regression", 5, target_names=("a", HOSTILE[1], "c", "d", "e")
    )
    generator = np.random.default_rng(0)
    targets = generator.normal(size=(90, 5)).astype(np.float32)
    split = Split(np.zeros((90, 1), np.float32), targets)
    data = Dataset("planted", split, split, None, spec, "0" * 64)
    page = run_page(planted(tmp_path, spec, lambda given: Predictions(values=targets + 0.5)), data)
    reader = Reader(page)
    assert not reader.open
    assert not reader.count("script")
    labels = [fields["aria-label"] for tag, fields in reader.elements if tag == "svg"]
    assert sum(label.startswith("Prediction over truth of") for label in labels) == 4
    assert f"Residuals of {HOSTILE[1]}: mean -0.5, standard deviation" in " ".join(labels)
    assert "Of 5 targets the first 4 are drawn" in reader.text

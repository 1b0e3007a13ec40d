"""Labels that were changed at random are found, as well as by cleanlab, and with the samples shown."""

import re
from dataclasses import replace

import numpy as np
import pytest
from cleanlab.count import estimate_joint
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score

import kexp
from kexp.core.errors import InputError
from kexp.data import Split
from kexp.preflight.doctor import doctor_findings
from kexp.preflight.doctor.doubtful_labels import out_of_fold

SHARE = 0.05
label_errors, estimated_label_errors = kexp.preflight.label_errors, kexp.preflight.estimated_label_errors


def flipped(name, seed=0):
    """Return data of whose training labels 5 % are another class, drawn at random, and which."""
    data, rng = kexp.data.load(name), np.random.default_rng(seed)
    labels, count = data.train.targets.copy(), round(SHARE * len(data.train))
    rows = rng.choice(len(labels), count, replace=False)
    labels[rows] = (labels[rows] + rng.integers(1, data.spec.outputs, count)) % data.spec.outputs
    wrong = np.zeros(len(labels), bool)
    wrong[rows] = True
    return replace(data, train=Split(data.train.inputs, labels)), wrong


@pytest.mark.parametrize(
    ("name", "precision"),
    [("digits", 0.9), ("fashion_mnist_small", 0.7), ("breast_cancer", 0.8), ("wine", 0.8)],
)
def test_labels_changed_at_random_come_first_and_not_later_than_by_cleanlab(name, precision):
    data, wrong = flipped(name)
    rows, labels, probabilities = out_of_fold(data)
    wrong = wrong[rows]
    order = label_errors(labels, probabilities)
    assert wrong[order[: wrong.sum()]].mean() >= precision
    places = np.empty(len(order))
    places[order] = np.arange(len(order))
    area = average_precision_score(wrong, -places)
    quality = get_label_quality_scores(labels, probabilities)
    assert area >= average_precision_score(wrong, -quality) - 1e-9
    estimated = estimated_label_errors(labels, probabilities)
    joint = estimate_joint(labels, probabilities)
    assert estimated == pytest.approx(len(labels) * (1 - np.trace(joint)), abs=1 + 0.15 * estimated)


@pytest.mark.parametrize("name", ["digits", "wine"])
def test_the_doctor_warns_of_wrong_labels_and_shows_samples_that_are(name):
    data, wrong = flipped(name)
    (finding,) = [finding for finding in doctor_findings(data) if finding.name == "labels"]
    if name == "digits":
        assert finding.status == "warning"
        first = int(finding.message.split(": training ")[1].split(" ")[0])
        assert wrong[first]
        assert "rather '" in finding.message


def test_a_class_of_too_few_samples_is_left_out_and_the_others_are_named_right():
    data, _ = flipped("digits")
    true = kexp.data.load("digits").train.targets
    kept = (data.train.targets != 2) | (np.cumsum(data.train.targets == 2) <= 2)
    train = Split(data.train.inputs[kept], data.train.targets[kept])
    message = next(one.message for one in doctor_findings(replace(data, train=train)) if one.name == "labels")
    row, given, likely = re.search(r": training (\d+) \('(\d)', rather '(\d)'", message).groups()
    assert train.targets[int(row)] == int(given) != int(likely) == true[kept][int(row)]


def test_a_rare_class_that_nothing_tells_has_no_wrong_labels():
    rng = np.random.default_rng(0)
    labels = (rng.permutation(3000) < 45).astype(int)
    data = kexp.data.load((rng.normal(size=(3000, 5)).astype("float32"), labels))
    assert {finding.status for finding in doctor_findings(data)} == {"ok"}


def test_a_class_that_is_never_given_has_no_errors_and_ties_keep_their_order():
    probabilities = np.array([[0.5, 0.3, 0.2]] * 4)
    assert label_errors(np.array([0, 1, 0, 1]), probabilities).tolist() == [1, 3, 0, 2]
    assert estimated_label_errors(np.array([0, 0, 0, 0]), probabilities) == 0


def test_labels_and_probabilities_that_do_not_go_together_are_refused():
    with pytest.raises(InputError, match=r"received \(3, 2\) for \(2,\)"):
        label_errors(np.array([0, 1]), np.full((3, 2), 0.5))
    with pytest.raises(InputError, match=r"within 0\.\.1"):
        label_errors(np.array([0, 2]), np.full((2, 2), 0.5))
    with pytest.raises(InputError, match=r"received float64 from 0\.0 to 1\.0"):
        estimated_label_errors(np.array([0.0, 1.0]), np.full((2, 2), 0.5))

"""One class against the rest: what is in which part, and how surely an anomaly is told."""

import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.data import Split, one_class
from kexp.metrics import area_under_roc


def test_training_and_validation_are_of_one_class_and_the_test_part_of_all():
    whole = kexp.data.load("digits")
    data = one_class(whole, "7")
    assert len(data.train) == (whole.train.targets == 7).sum()
    assert len(data.validation) == (whole.validation.targets == 7).sum()
    np.testing.assert_array_equal(data.train.inputs, whole.train.inputs[whole.train.targets == 7])
    np.testing.assert_array_equal(data.test.targets, whole.test.targets != 7)
    np.testing.assert_array_equal(data.test.inputs, whole.test.inputs)
    assert data.spec.class_names == ("7", "not 7")
    assert data.fingerprint not in (whole.fingerprint, one_class(whole, "8").fingerprint)


def test_so_it_is_of_a_table():
    whole = kexp.data.load("breast_cancer")
    data = one_class(whole)
    name = next(iter(whole.train.inputs))
    np.testing.assert_array_equal(data.train.inputs[name], whole.train.inputs[name][whole.train.targets == 0])
    assert set(data.train.targets.tolist()) == {0}


@pytest.mark.parametrize(
    ("data", "normal", "complaint"),
    [
        (lambda: kexp.data.load("digits"), "ten", "normal must be a class of digits, 0, 1, 2"),
        (lambda: kexp.data.load("diabetes"), None, "data must have classes, one of which is normal"),
    ],
)
def test_what_has_no_such_class_is_one_sentence(data, normal, complaint):
    with pytest.raises(InputError, match=complaint):
        one_class(data(), normal)


def test_the_area_is_the_share_of_pairs_in_the_right_order_and_lies_in_its_interval():
    random = np.random.default_rng(0)
    targets = np.arange(300) % 3 == 0
    scores = random.normal(size=300) + targets
    pairs = scores[targets][:, None] > scores[~targets]
    split, answers = Split(scores, targets.astype("int32")), {"anomaly_score": scores}
    found = area_under_roc(split, answers)
    assert found[""] == pytest.approx(pairs.mean(), abs=1e-9)
    assert found["_low95"] < found[""] < found["_high95"]
    assert 0.04 < found["_high95"] - found["_low95"] < 0.2


def test_there_is_no_area_where_all_are_normal():
    assert area_under_roc(Split(np.zeros(3), np.zeros(3, "int32")), {"anomaly_score": np.arange(3.0)}) == {}

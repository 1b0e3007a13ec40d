"""What the parity check finds, and what it lets pass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kexp.data import DatasetSpec
from kexp.export import ExportError, parity
from kexp.export.parity import ParityCase, check_parity
from kexp.export.saved_model import load_saved_model
from kexp.tasks import task_named
from kexp.tasks.predictions import Predictions

EXPECTED = Predictions(
    np.array(["cat", "dog", "cat"], dtype=object),
    np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.5, 0.499995, 0.000005]], dtype=np.float32),
)
TASK, SPEC = task_named("classification"), DatasetSpec("array", (3,), "float32", "classification", 3)
CASE = ParityCase(
    "serving_default", {}, EXPECTED.named(), tied=lambda expected: TASK.tied(expected, parity.TOLERANCE, SPEC)
)
VALUES = Predictions(values=np.array([[1e6], [0.0]], dtype=np.float32))


@pytest.fixture
def answers(monkeypatch):
    """What a fresh process would have written down: the expected answers, for a test to change."""
    answers: dict[str, np.ndarray] = {}
    for batch_size in parity.BATCH_SIZES:
        for call in (1, 2):
            name = f"serving_default/{batch_size}/{call}"
            rows = np.arange(batch_size) % 3
            answers[f"{name}/label"] = EXPECTED.labels[rows].astype(str)
            answers[f"{name}/probabilities"] = EXPECTED.probabilities[rows]
    monkeypatch.setattr(parity, "run_fresh", lambda *arguments: answers)
    return answers


def check(cases: Sequence[ParityCase] = (CASE,)) -> None:
    check_parity(Path("saved"), load_saved_model, cases)


def test_equal_answers_pass(answers):
    check()


def test_a_difference_is_named_with_its_batch_size(answers):
    for call in (1, 2):
        answers[f"serving_default/3/{call}/probabilities"] = EXPECTED.probabilities + np.float32(2e-5)
    with pytest.raises(
        ExportError, match=r"a batch of 3 computes something else: the largest difference is 2.*e-05"
    ):
        check()


def test_a_difference_below_the_tolerance_passes(answers):
    answers["serving_default/64/1/probabilities"] = answers[
        "serving_default/64/1/probabilities"
    ] + np.float32(5e-6)
    check()


def test_two_calls_that_disagree_are_an_error(answers):
    answers["serving_default/64/2/probabilities"] = answers["serving_default/64/2/probabilities"][::-1]
    with pytest.raises(ExportError, match="two calls with the same batch of 64 disagree"):
        check()


def test_a_number_that_is_none_is_a_difference(answers):
    answers["serving_default/1/1/probabilities"] = np.full((1, 3), np.nan, np.float32)
    with pytest.raises(ExportError, match="the largest difference is nan"):
        check()


def test_another_label_is_an_error(answers):
    answers["serving_default/1/1/label"] = np.array(["dog"])
    with pytest.raises(ExportError, match="the label of sample 0 is 'dog', not 'cat'"):
        check()


def test_between_equally_probable_classes_either_label_is_right(answers):
    answers["serving_default/3/1/label"] = np.array(["cat", "dog", "dog"])
    check()


def test_missing_answers_and_other_shapes_are_an_error(answers):
    answers["serving_default/1/1/probabilities"] = answers["serving_default/1/1/probabilities"][:, :2]
    with pytest.raises(
        ExportError, match=re.escape("expected predictions of shape (1, 3), received shape (1, 2)")
    ):
        check()
    del answers["serving_default/1/1/probabilities"]
    with pytest.raises(ExportError, match="received none"):
        check()


def test_values_may_differ_in_proportion_to_their_size(monkeypatch):
    offset = np.array([[5.0], [5e-6]])

    def answered(values: np.ndarray) -> dict[str, np.ndarray]:
        return {
            f"serving_default/{batch_size}/{call}/values": values[np.arange(batch_size) % 2]
            for batch_size in parity.BATCH_SIZES
            for call in (1, 2)
        }

    monkeypatch.setattr(parity, "run_fresh", lambda *arguments: answered(VALUES.values + offset))
    check([ParityCase("serving_default", {}, VALUES.named())])
    offset[:] = [[0.0], [5e-5]]
    with pytest.raises(ExportError, match=r"a batch of 3 .* difference is 5e-05"):
        check([ParityCase("serving_default", {}, VALUES.named())])


@pytest.mark.parametrize(("apart", "passes"), [(1, True), (-1, True), (2, False), (-2, False)])
def test_a_byte_of_an_image_may_be_off_by_one(monkeypatch, apart, passes):
    images = np.full((2, 4, 4, 1), 128, np.uint8)
    other = images.copy()
    other[1, 2, 3] += np.int8(apart).astype(np.uint8)
    answers = {f"sample/0/{call}/image": other for call in (1, 2)}
    monkeypatch.setattr(parity, "run_fresh", lambda *arguments: answers)
    cases = [ParityCase("sample", {}, {"image": images}, ())]
    if passes:
        check(cases)
        return
    with pytest.raises(
        ExportError, match="call of sample computes something else: the largest difference of the image is 2"
    ):
        check(cases)


def test_other_whole_numbers_are_exact(monkeypatch):
    answers = {f"sample/0/{call}/index": np.array([1, 3], np.int32) for call in (1, 2)}
    monkeypatch.setattr(parity, "run_fresh", lambda *arguments: answers)
    with pytest.raises(ExportError, match="the index of sample 1 is 3, not 2"):
        check_parity(
            Path("saved"),
            load_saved_model,
            [ParityCase("sample", {}, {"index": np.array([1, 2], np.int32)}, ())],
        )


def test_a_model_that_does_not_run_is_an_error_with_the_reason(tmp_path, capfd, new_interpreter):
    with pytest.raises(
        ExportError, match=r"does not run in a fresh process \(exit status 1\):[\s\S]*saved_model"
    ):
        check_parity(
            tmp_path,
            load_saved_model,
            [ParityCase("serving_default", {"inputs": np.zeros((1, 2))}, EXPECTED.named())],
        )
    assert capfd.readouterr() == ("", "")

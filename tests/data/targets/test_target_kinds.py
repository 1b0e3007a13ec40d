"""Kinds of targets are found by scanning, and told apart by what targets look like."""

import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data import load
from kexp.data.targets import kind_of, target_kinds

IMAGES = np.zeros((3, 4, 5, 1), np.uint8)


@pytest.mark.parametrize(
    ("kind", "targets", "found"),
    [
        ("image", np.zeros((3, 4, 5)), "masks"),
        ("image", np.zeros((3, 4)), "numbers"),
        ("image", np.zeros((3, 2, 5)), "boxes"),
        ("array", np.zeros((3, 4, 5)), "labels"),  # which will refuse them
        ("array", [0.5, 1.0, 2.0], "numbers"),
        ("array", np.ones((3, 1)), "numbers"),
        ("array", np.eye(3), "labels"),  # which will say that they are one-hot
        ("text", ["a", "b", "c"], "labels"),
        ("array", [True, False, True], "labels"),
        ("array", np.array([[0, 0], [1, 1], [0, 1]]), "label_sets"),
        ("array", np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), "label_sets"),
        ("array", np.ones((3, 2), bool), "label_sets"),
        ("array", np.zeros((3, 2)), "numbers"),  # floats without both are quantities
        ("array", np.array([[0, 2], [1, 1], [0, 1]]), "labels"),  # which will refuse them
    ],
)
def test_targets_are_of_the_kind_that_they_look_like(kind, targets, found):
    assert kind_of(kind, IMAGES, targets).name == found


def test_each_kind_is_for_a_task_of_its_own():
    assert list(target_kinds()) == [
        "classification",
        "detection",
        "multilabel",
        "regression",
        "retrieval",
        "segmentation",
        "text",
        "transcription",
    ]
    assert sum(kind.is_fallback for kind in target_kinds().values()) == 1


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            "classify",
            "'multilabel' or 'regression' or 'retrieval' or 'segmentation' or 'text' or 'transcription'; ",
        ),
        ("generation", "'transcription'; that is what a model does, whatever the targets are"),
        (["text"], "pass one or leave it out"),
    ],
)
def test_a_task_that_no_targets_are_for_is_refused(task, message):
    with pytest.raises(InputError, match=message):
        load("digits", task=task)


def test_only_classes_are_drawn_in_proportion():
    labels, numbers = (target_kinds()[task] for task in ("classification", "regression"))
    assert labels.strata(np.array([2, 0])).tolist() == [2, 0]
    assert numbers.strata(np.array([[0.5], [1.5]])).tolist() == [0, 0]

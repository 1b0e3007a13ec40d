"""Boxes come in the forms that people have, and those that cannot be right are refused by their place."""

import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data import load

IMAGES = np.arange(4 * 16 * 20, dtype=np.uint8).reshape(4, 16, 20, 1)
PARTS = {"validation": 0, "test": 0}
ROWS = [
    [[1, 2, 9, 8, 0], [3, 3, 20, 16, 1]],
    [],
    [[0, 0, 5, 5, 1]],
    [[2.5, 2, 4, 4.25, 0]],
]


def loaded(targets, **options):
    return load((IMAGES, targets), **{**PARTS, **options})


@pytest.fixture(scope="module")
def expected():
    array = np.full((4, 2, 6), -1, np.float32)
    for image, rows in enumerate(ROWS):
        for place, row in enumerate(rows):
            array[image, place] = [*row, 0]
    return array


def padded(width):
    array = np.full((4, 3, width), -1.0)
    for image, rows in enumerate(ROWS):
        for place, row in enumerate(rows):
            array[image, place] = [*row, 0][:width]
    return array


def by_image(names=("a", "b")):
    return [{"boxes": [row[:4] for row in rows], "labels": [names[row[4]] for row in rows]} for rows in ROWS]


@pytest.mark.parametrize(
    "targets",
    [
        padded(5),
        padded(6).astype(np.float32),
        [np.array(rows).reshape(-1, 5) for rows in ROWS],
        by_image((0, 1)),
        {"boxes": padded(5)[..., :4], "labels": padded(5)[..., 4]},
    ],
)
def test_every_form_of_boxes_is_the_same_data(targets, expected):
    data = loaded(targets)
    assert (data.spec.task, data.spec.outputs, data.spec.class_names) == ("detection", 2, ("0", "1"))
    np.testing.assert_array_equal(data.train.targets, expected)


def test_classes_may_have_names_and_an_image_none_of_them(expected):
    data = loaded(by_image(("tree", "car")))
    assert data.spec.class_names == ("car", "tree")
    np.testing.assert_array_equal(data.train.targets[0, :, 4], [1, 0])
    assert (data.train.targets[1] == -1).all()


def test_lists_of_rows_are_boxes_where_the_task_says_so(expected):
    np.testing.assert_array_equal(loaded(ROWS, task="detection").train.targets, expected)


def test_a_crowd_is_kept_and_a_box_that_rounding_pushed_out_is_cut():
    data = loaded([np.array([[-0.5, 0, 20.75, 16, 0, 1], [0, 0, 4, 4, 0, 0]])] * 4)
    np.testing.assert_array_equal(data.train.targets[0, 0], [0, 0, 20, 16, 0, 1])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([5, 5, 5, 9, 0], r"box 1 of train image 2.*which has no area"),
        ([9, 5, 2, 9, 0], "which has no area"),
        ([np.nan, 5, 7, 9, 0], "which has no area"),
        ([30, 5, 40, 9, 0], r"within the image of 20 × 16 pixels"),
        ([0, 0, 10, 40, 0], r"received \(0, 0, 10, 40\)"),
        ([0, 0, 10, 10, 0.5], "class indices from 0, or -1 for padding, received 0.5"),
        ([0, 0, 10, 10, -2], "received -2"),
    ],
)
def test_a_box_that_cannot_be_right_is_named(row, message):
    rows = [np.array(one, float).reshape(-1, 5) for one in ROWS]
    rows[2] = np.vstack([rows[2], row])
    with pytest.raises(InputError, match=message):
        loaded(rows)


def test_a_class_that_is_none_is_named():
    parts = {"x_train": IMAGES, "y_train": padded(5), "class_names": ["tree"]}
    with pytest.raises(InputError, match="a class among 'tree', received 1"):
        load(parts, **PARTS)
    both = by_image(("tree", 1))
    with pytest.raises(InputError, match="received both"):
        loaded(both)


def test_data_without_a_box_and_classes_without_a_training_image_are_refused():
    with pytest.raises(InputError, match="received none on any"):
        loaded(np.full((4, 1, 5), -1.0))
    parts = {"x_train": IMAGES[:2], "y_train": [ROWS[3], ROWS[3]], "x_test": IMAGES[2:], "y_test": ROWS[:2]}
    with pytest.raises(InputError, match="no training image has a box of class '1'"):
        load(parts, task="detection", **PARTS)


def test_labels_that_are_not_as_many_as_boxes_are_refused():
    wrong = by_image()
    wrong[0]["labels"] = ["a"]
    with pytest.raises(InputError, match=r"boxes of image 0|targets of image 0: expected boxes of shape"):
        loaded(wrong)


def test_images_with_boxes_are_not_resized_without_them():
    with pytest.raises(InputError, match="image_size"):
        loaded(padded(5), image_size=(8, 8))

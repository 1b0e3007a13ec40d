"""Scenes have exact boxes, as many objects as asked for, and are made of their own part's images alone."""

import itertools

import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.data import scenes
from kexp.metrics import box_iou


@pytest.fixture(scope="module")
def digits():
    return kexp.data.load("digits")


@pytest.fixture(scope="module")
def made(digits):
    return scenes(digits, samples=(40, 20, 20), objects=(2, 5), sides=(14, 40), empty=0.2)


def objects(part):
    return [rows[rows[:, 4] >= 0] for rows in part.targets]


def test_scenes_are_data_for_detection(made):
    spec = made.spec
    assert (spec.task, spec.input_shape, spec.outputs) == ("detection", (128, 128, 1), 10)
    assert spec.class_names == tuple("0123456789")
    for part, count in ((made.train, 40), (made.validation, 20), (made.test, 20)):
        assert part.inputs.shape == (count, 128, 128, 1)
        assert part.targets.shape[0::2] == (count, 6)
        assert (part.inputs.dtype, part.targets.dtype) == (np.uint8, np.float32)
        assert not part.inputs.flags.writeable
        assert not part.targets.flags.writeable


def test_objects_are_as_many_and_as_large_as_asked_for_and_some_scenes_are_empty(made):
    counts = [len(rows) for rows in objects(made.train)]
    assert 0 < counts.count(0) < 20
    assert {count for count in counts if count} <= {2, 3, 4, 5}
    assert len(set(counts)) > 3
    sides = np.concatenate([rows[:, 2:4] - rows[:, :2] for rows in objects(made.train)]).max(axis=1)
    assert sides.min() >= 12  # whose faint ends are no part of it
    assert sides.max() <= 40
    assert np.ptp(sides) > 15


def test_boxes_overlap_no_more_than_allowed_and_lie_within_the_scene(made):
    for rows in objects(made.train):
        assert (rows[:, :2] >= 0).all()
        assert (rows[:, 2:4] <= 128).all()
        shares = box_iou(
            rows[:, :4], rows[:, :4], crowd=np.ones(len(rows), bool)
        )  # of the first in the second
        assert all(shares[pair] <= 0.25 for pair in itertools.permutations(range(len(rows)), 2))


def test_the_pixels_of_an_object_reach_all_sides_of_its_box_and_go_no_further(digits):
    clean = scenes(digits, samples=(30, 1, 1), objects=(1, 1), sides=(14, 48), clutter=0, empty=0)
    for image, rows in zip(clean.train.inputs[..., 0], clean.train.targets, strict=True):
        left, top, right, bottom = rows[0, :4].astype(int)
        inside = image[top:bottom, left:right]
        own = inside > 0.3 * inside.max()
        assert own.any(axis=0)[[0, -1]].all()
        assert own.any(axis=1)[[0, -1]].all()
        outside = image.copy()
        outside[top:bottom, left:right] = 0
        assert outside.max() <= 24


def test_brightness_does_not_tell_objects_from_clutter(made):
    bare = scenes(kexp.data.load("digits"), samples=(40, 1, 1), clutter=8, empty=0.9)
    empty = bare.train.inputs[[len(rows) == 0 for rows in objects(bare.train)]]
    assert len(empty) > 20
    assert np.percentile(empty[empty > 24], 90) > 150


def test_the_same_arguments_give_the_same_scenes_and_the_test_part_never_changes(digits, made):
    arguments = {"objects": (2, 5), "sides": (14, 40), "empty": 0.2}
    again = scenes(digits, samples={"train": 40, "validation": 20, "test": 20}, **arguments)
    other = scenes(digits, samples=(40, 20, 20), seed=7, **arguments)
    assert made.fingerprint == again.fingerprint != other.fingerprint
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(made, part).inputs, getattr(again, part).inputs)
        np.testing.assert_array_equal(getattr(made, part).targets, getattr(again, part).targets)
    assert (made.train.inputs != other.train.inputs).any()
    np.testing.assert_array_equal(made.test.inputs, other.test.inputs)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"size": (0, 8)}, "size=.*two whole numbers of pixels"),
        ({"samples": (1, 2)}, "samples="),
        ({"objects": (3, 2)}, "objects=.*from 1 to"),
        ({"sides": (1, 20)}, "sides=.*from 2 to the shorter side"),
        ({"sides": (14, 200)}, "sides="),
        ({"overlap": 1.5}, "overlap=1.5: expected a number from 0 to 1"),
        ({"clutter": -1}, "clutter="),
        ({"empty": 1.0}, "empty=1.0: expected a share of at least 0 and below 1"),
        ({"seed": -1}, "seed="),
        ({"objects": (60, 60), "overlap": 0.0, "sides": (40, 48)}, "do not fit"),
    ],
)
def test_an_argument_that_is_out_of_range_is_named(digits, argument, message):
    with pytest.raises(InputError, match=message):
        scenes(digits, **{"samples": (1, 1, 1), "empty": 0.0, **argument})


def test_only_grey_labelled_images_become_scenes(made):
    with pytest.raises(InputError, match="grey images"):
        scenes(made)

"""Canvases are made of their own part's images alone, and brightness does not tell what is where."""

import dataclasses

import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.data import canvases
from kexp.data.splits import read_only


@pytest.fixture(scope="module")
def digits():
    return kexp.data.load("digits")


@pytest.fixture(scope="module")
def made(digits):
    return canvases(digits, samples=(60, 40, 80))


def ious(predicted, true, classes):
    found = [np.sum((predicted == index) & (true == index)) for index in range(classes)]
    either = [np.sum((predicted == index) | (true == index)) for index in range(classes)]
    return np.divide(found, either)


def test_masks_have_the_size_of_the_images_and_name_all_classes(made):
    assert made.spec == dataclasses.replace(
        kexp.data.load("digits").spec,
        input_shape=(40, 40, 1),
        task="segmentation",
        outputs=11,
        class_names=("background", *"0123456789"),
    )
    for part, count in ((made.train, 60), (made.validation, 40), (made.test, 80)):
        assert part.inputs.shape == (count, 40, 40, 1)
        assert (part.inputs.dtype, part.targets.dtype) == (np.uint8, np.int32)
        assert part.targets.shape == (count, 40, 40)
        assert set(np.unique(part.targets)) == set(range(11))
        with pytest.raises(ValueError, match="read-only"):
            part.inputs[0] = 0
        with pytest.raises(ValueError, match="read-only"):
            part.targets[0] = 0


def test_a_threshold_on_brightness_does_not_solve_it(made):
    images, masks = made.test.inputs[..., 0], made.test.targets
    # Even when only objects and clutter are to be told apart, and with the best threshold for the test part.
    assert max(ious(images > level, masks > 0, 2)[1] for level in range(256)) < 0.7
    # As masks: the best threshold with the most common class there.
    common = np.bincount(masks[masks > 0]).argmax()
    assert max(ious(np.where(images > level, common, 0), masks, 11).mean() for level in range(256)) < 0.15


def test_bright_pixels_of_the_background_are_as_bright_as_those_of_objects(made):
    images, masks = made.test.inputs[..., 0], made.test.targets
    clutter = images[(masks == 0) & (images > 24)]
    assert len(clutter) > 0.25 * np.sum(masks > 0)
    assert np.quantile(clutter, 0.95) > 0.9 * np.quantile(images[masks > 0], 0.95)


def test_without_clutter_or_overlap_what_is_bright_is_the_object(digits):
    bare = canvases(digits, samples=(20, 1, 1), objects=(1, 1), clutter=0)
    images, masks = bare.train.inputs[..., 0], bare.train.targets
    assert all(len(np.unique(mask[mask > 0])) == 1 for mask in masks)
    assert max(ious(images > level, masks > 0, 2)[1] for level in range(256)) > 0.85


def one_colour_per_part(digits):
    """Images of one brightness in each part: a pixel tells the part that it came from."""
    levels = {"train": 250, "validation": 100, "test": 50}
    parts = {
        part: read_only(
            np.full_like(getattr(digits, part).inputs, level), getattr(digits, part).targets.copy()
        )
        for part, level in levels.items()
    }
    return dataclasses.replace(digits, **parts), levels


def test_a_part_is_made_of_its_own_images_alone(digits):
    data, levels = one_colour_per_part(digits)
    made = canvases(data, samples=(30, 30, 30))
    for part, level in levels.items():
        inputs = getattr(made, part).inputs
        bright = inputs[inputs > 24]
        assert 0.6 * level - 1 <= bright.min()
        assert 0.9 * level < bright.max() <= level


def test_the_same_arguments_give_the_same_canvases_and_the_test_part_never_changes(digits, made):
    again = canvases(digits, samples={"train": 60, "validation": 40, "test": 80})
    other = canvases(kexp.data.load("digits", seed=7), samples=(60, 40, 80), seed=7)
    for part in ("train", "validation", "test"):
        first, same, changed = (getattr(data, part) for data in (made, again, other))
        np.testing.assert_array_equal(first.inputs, same.inputs)
        np.testing.assert_array_equal(first.targets, same.targets)
        assert np.array_equal(first.inputs, changed.inputs) == (part == "test")
    assert made.fingerprint == again.fingerprint


def test_the_fingerprint_changes_with_every_argument(digits, made):
    others = [
        canvases(digits, samples=(60, 40, 80), **argument)
        for argument in (
            {"seed": 1},
            {"clutter": 3},
            {"objects": (1, 3)},
            {"scale": (0.4, 0.5)},
            {"size": (40, 50)},
        )
    ]
    assert len({made.fingerprint, digits.fingerprint, *(data.fingerprint for data in others)}) == 7


def test_objects_are_as_many_as_asked_for_on_canvases_of_any_shape(digits):
    two = canvases(
        digits, size=(40, 96), samples=(40, 1, 1), objects=(2, 2), scale=(0.3, 0.5), clutter=0
    ).train
    assert two.inputs.shape == (40, 40, 96, 1)
    classes = [len(np.unique(mask[mask > 0])) for mask in two.targets]
    assert set(classes) == {1, 2}
    assert classes.count(2) > 30


def test_parts_that_the_data_lacks_are_left_out():
    data = canvases(kexp.data.load("digits", validation=0, test=0), samples=(3, 1, 1))
    assert data.validation is None
    assert data.test is None


def test_larger_images_get_a_larger_canvas():
    data = canvases(kexp.data.load("fashion_mnist_small"), samples=(4, 1, 1))
    assert data.spec.input_shape == (64, 64, 1)
    assert data.spec.class_names[:2] == ("background", "T-shirt/top")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (48, 0)}, "size="),
        ({"samples": (10, 5)}, "samples="),
        ({"samples": (10, 5, 0)}, "samples="),
        ({"objects": (3, 1)}, "objects="),
        ({"objects": (0, 1)}, "objects="),
        ({"scale": (0.4, 1.2)}, "scale="),
        ({"clutter": -1}, "clutter="),
        ({"seed": -1}, "seed="),
    ],
)
def test_an_argument_out_of_range_is_refused_in_one_sentence(digits, arguments, message):
    with pytest.raises(InputError, match=message):
        canvases(digits, **{"samples": (1, 1, 1), **arguments})


def test_data_that_are_no_grey_images_are_refused(made):
    for data in (made, kexp.data.load("iris")):
        with pytest.raises(InputError, match="expected grey images of 8 bits for classification"):
            canvases(data)

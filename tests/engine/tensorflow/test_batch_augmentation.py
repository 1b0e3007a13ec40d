"""A training step augments its batch, and the same draws come again when the state is restored."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
from kexp.data import DatasetSpec
from kexp.engine.tensorflow.batch_augmentation import Augmentation

DIGITS = kexp.data.load("digits")
IMAGES, CLASSES = DIGITS.train.inputs[:60], DIGITS.train.targets[:60]
SERIES = DatasetSpec("series", (20, 2), "float32", "classification", 3)
REGRESSION = DatasetSpec("image", (8, 8, 1), "uint8", "regression", 2)

KINDS = {
    "shift": lambda: kexp.models.image_augmentation("uint8", shift=0.25),
    "flip": lambda: kexp.models.image_augmentation("uint8", flip=True),
    "randaugment": lambda: kexp.models.image_augmentation("uint8", randaugment=2),
    "erasing": lambda: kexp.models.image_augmentation("uint8", erasing=0.5),
    "mixup": lambda: kexp.models.image_augmentation("uint8", mixup=0.4),
    "cutmix": lambda: kexp.models.image_augmentation("uint8", cutmix=1.0),
    "mixup or cutmix": lambda: kexp.models.image_augmentation("uint8", mixup=0.4, cutmix=1.0),
    "all": lambda: kexp.models.image_augmentation(
        "uint8", shift=0.1, flip=True, randaugment=1, erasing=0.3, mixup=0.2, cutmix=1.0
    ),
    "Keras RandomContrast, Sequential": lambda: [
        keras.layers.RandomContrast(0.5),
        keras.Sequential([keras.layers.GaussianNoise(1.0), keras.layers.RandomFlip()]),
    ],
}


def compiled_steps(augmentation):
    """Return a function of (steps, batch) indices to the augmented batches, in a loop as in the engine."""

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)], autograph=False)
    def run(rows):
        def step(number, images, targets):
            batch = tf.gather(IMAGES, rows[number]), tf.gather(CLASSES, rows[number])
            one, other = augmentation(*batch)
            return number + 1, images.write(number, one), targets.write(number, tf.cast(other, tf.float32))

        steps = tf.shape(rows)[0]
        arrays = tf.TensorArray(tf.uint8, steps), tf.TensorArray(tf.float32, steps)
        _, images, targets = tf.while_loop(
            lambda number, *_: number < steps, step, (0, *arrays), parallel_iterations=1
        )
        return images.stack(), targets.stack()

    return lambda steps: [tensor.numpy() for tensor in run(np.tile(np.arange(60, dtype="int32"), (steps, 1)))]


@pytest.mark.parametrize("name", KINDS)
def test_restored_variables_draw_the_same_in_the_compiled_loop(name):
    augmentation = Augmentation(KINDS[name](), DIGITS.spec)
    run = compiled_steps(augmentation)
    run(3)
    state = [np.copy(variable) for variable in augmentation.variables]
    images, targets = run(4)
    for variable, value in zip(augmentation.variables, state, strict=True):
        variable.assign(value)
    pairs = zip(run(1), run(3), strict=True)
    again_images, again_targets = (np.concatenate(pair) for pair in pairs)
    np.testing.assert_array_equal(images, again_images)
    np.testing.assert_array_equal(targets, again_targets)
    assert len({step.tobytes() for step in images}) == 4


@pytest.mark.parametrize("name", KINDS)
def test_making_it_leaves_the_random_state_as_it_was(name):
    layers = KINDS[name]()
    before = [np.copy(variable) for layer in layers for variable in layer.variables]
    after = Augmentation(layers, DIGITS.spec).variables
    assert before
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_bytes_stay_bytes_and_targets_stay_indices_unless_labels_are_mixed():
    images, targets = Augmentation(KINDS["shift"](), DIGITS.spec)(IMAGES, CLASSES)
    assert images.dtype == "uint8"
    np.testing.assert_array_equal(targets, CLASSES)
    images, targets = Augmentation(KINDS["mixup"](), DIGITS.spec)(IMAGES, CLASSES)
    assert (images.dtype, targets.dtype, targets.shape) == ("uint8", "float32", (60, 10))
    np.testing.assert_allclose(np.sum(targets, axis=1), 1, atol=1e-6)


def test_float_images_stay_floats_and_are_not_rounded():
    spec = DatasetSpec("image", (8, 8, 1), "float32", "classification", 10)
    images, _ = Augmentation(kexp.models.image_augmentation("float32", mixup=0.4), spec)(
        IMAGES / np.float32(255), CLASSES
    )
    assert images.dtype == "float32"
    assert 0 < np.max(images) <= 1


def test_without_layers_everything_comes_back_as_it_is():
    augmentation = Augmentation((), DIGITS.spec)
    assert augmentation(IMAGES, CLASSES) == (IMAGES, CLASSES)
    assert augmentation.variables == []


def test_noise_fits_series_and_the_targets_of_a_regression_pass_through():
    noisy, _ = Augmentation([keras.layers.GaussianNoise(0.1)], SERIES)(
        np.zeros((4, 20, 2), "float32"), np.zeros(4, "int32")
    )
    assert 0.05 < np.std(noisy) < 0.2
    targets = np.ones((60, 2), "float32")
    _, same = Augmentation(KINDS["shift"](), REGRESSION)(IMAGES, targets)
    np.testing.assert_array_equal(same, targets)


def test_a_layer_of_the_users_own_that_changes_labels_is_given_them():
    class Rotate(keras.layers.RandomFlip):
        def transform_labels(self, labels, transformation, training=True):
            return keras.ops.roll(labels, 1, axis=-1)

    _, labels = Augmentation([Rotate("horizontal")], DIGITS.spec)(IMAGES, CLASSES)
    np.testing.assert_array_equal(np.argmax(labels, axis=1), (CLASSES + 1) % 10)


def test_it_computes_in_float32_under_a_mixed_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        augmentation = Augmentation(KINDS["all"](), DIGITS.spec)
    finally:
        keras.config.set_dtype_policy("float32")
    images, targets = augmentation(IMAGES, CLASSES)
    assert (images.dtype, targets.dtype) == ("uint8", "float32")
    np.testing.assert_allclose(np.sum(targets, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "spec", "message"),
    [
        ("flip", DIGITS.spec, "augmentation must be a sequence of Keras layers .* received 'flip'"),
        (keras.layers.RandomFlip(), SERIES, "augmentation must fit the data.* received RandomFlip"),
        (keras.layers.MixUp(), SERIES, "augmentation must fit the data.* received MixUp"),
        (keras.layers.CutMix(), REGRESSION, "augmentation must leave the targets.* received CutMix"),
        (kexp.models.MixUpOrCutMix(0.2, 1.0), REGRESSION, "augmentation must leave .* received MixUpOrCut"),
        (keras.layers.Resizing(4, 4), DIGITS.spec, r"augmentation must keep the shape .*it made \(4, 4, 1\)"),
        (
            keras.layers.RandomHue(0.5),
            DIGITS.spec,
            r"augmentation must fit inputs of shape \(8, 8, 1\); .* must have 3 channels",
        ),
        (
            keras.layers.GaussianNoise(1.0),
            kexp.data.load("wine").spec,
            "augmentation must be .* received GaussianNoise",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(layer, spec, message):
    with pytest.raises(InputError, match=message) as refusal:
        Augmentation([layer], spec)
    assert "\n" not in str(refusal.value)

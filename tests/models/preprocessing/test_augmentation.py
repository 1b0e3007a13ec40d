"""Augmentation changes training images as it says, draws anew each time, and can be drawn again."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError

DIGITS = kexp.data.load("digits").train
IMAGES = DIGITS.inputs[:64].astype("float32")  # (64, 8, 8, 1), 0 to 255
CLASSES = DIGITS.targets[:64]
LABELS = np.eye(10, dtype="float32")[CLASSES]

KINDS = {
    "shift": {"shift": 0.25},
    "flip": {"flip": True},
    "randaugment": {"randaugment": 2},
    "erasing": {"erasing": 0.5},
    "mixup": {"mixup": 0.4},
    "cutmix": {"cutmix": 1.0},
    "mixup or cutmix": {"mixup": 0.4, "cutmix": 1.0},
}


def only_layer(dtype="uint8", **options):
    (layer,) = kexp.models.image_augmentation(dtype, **options)
    return layer


def applied(layer, images=IMAGES, labels=LABELS, training=True):
    if "Mix" not in layer.__class__.__name__:
        return layer(images, training=training).numpy(), labels
    mixed = layer({"images": images, "labels": labels}, training=training)
    return np.asarray(mixed["images"]), np.asarray(mixed["labels"])


def test_layers_come_in_order_and_none_by_default():
    layers = kexp.models.image_augmentation(
        "uint8", shift=0.1, flip=True, randaugment=2, erasing=0.5, mixup=0.2
    )
    names = [layer.__class__.__name__ for layer in layers]
    assert names == ["RandomTranslation", "RandomFlip", "RandomOperations", "RandomErasing", "MixUp"]
    assert kexp.models.image_augmentation("uint8") == []


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("float32", 1)])
def test_images_change_within_their_range_and_differ_each_time(options, dtype, top):
    layer = only_layer(dtype, seed=0, **options)
    images = IMAGES / 255 * top
    first, labels = applied(layer, images)
    second, _ = applied(layer, images)
    assert first.shape == images.shape
    assert first.min() >= 0
    assert first.max() <= top * (1 + 1e-6)
    changed = (np.abs(first - images) > 1e-3 * top).any(axis=(1, 2, 3)).mean()
    assert changed > 0.25
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
def test_nothing_changes_outside_of_training(options):
    images, labels = applied(only_layer(**options), training=False)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("seed", [None, 5])
def test_the_same_seed_draws_the_same(options, seed):
    def drawn(number):
        keras.utils.set_random_seed(number)
        return applied(only_layer(seed=seed, **options))[0]

    np.testing.assert_array_equal(drawn(1), drawn(1))
    assert np.array_equal(drawn(1), drawn(2)) == (seed is not None)


def test_layers_of_one_seed_do_not_draw_the_same_numbers():
    layers = kexp.models.image_augmentation("uint8", flip=True, randaugment=2, cutmix=1.0, mixup=0.2, seed=7)
    states = [tuple(np.asarray(variable)) for layer in layers for variable in layer.variables]
    assert len(states) == len(set(states))


def test_half_are_flipped_and_the_others_left_alone():
    images, _ = applied(only_layer(flip=True, seed=1), np.repeat(IMAGES, 10, axis=0))
    flipped = (images == np.repeat(IMAGES, 10, axis=0)[:, :, ::-1]).all(axis=(1, 2, 3))
    kept = (images == np.repeat(IMAGES, 10, axis=0)).all(axis=(1, 2, 3))
    assert (flipped | kept).all()
    assert flipped.mean() == pytest.approx(0.5, abs=0.08)


def test_a_shift_moves_whole_pixels_no_farther_than_it_says():
    dot = np.zeros((500, 9, 9, 1), "float32")
    dot[:, 4, 4] = 255
    images, _ = applied(only_layer(shift=0.25, seed=0), dot)
    rows, columns = np.nonzero(images[..., 0])[1:]
    assert set(np.unique(images)) == {0.0, 255.0}
    assert set(rows) == set(columns) == {2, 3, 4, 5, 6}


def test_as_many_images_are_erased_as_asked_for():
    grey = np.full((2000, 16, 16, 1), 100, "float32")
    images, _ = applied(only_layer(erasing=0.3, seed=0), grey)
    assert (images != 100).any(axis=(1, 2, 3)).mean() == pytest.approx(0.3, abs=0.05)


def test_the_labels_of_mixup_have_the_shares_of_the_images():
    level = np.broadcast_to(CLASSES.astype("float32")[:, None, None, None], (64, 8, 8, 1))
    images, labels = applied(only_layer(mixup=1.0, seed=0), level)
    np.testing.assert_allclose(labels @ np.arange(10), images[:, 0, 0, 0], atol=1e-5)


def test_the_labels_of_cutmix_have_the_shares_of_the_areas():
    level = np.broadcast_to(CLASSES.astype("float32")[:, None, None, None], (64, 32, 32, 1))
    images, labels = applied(only_layer(cutmix=1.0, seed=0), level)
    np.testing.assert_allclose(labels @ np.arange(10), images.mean(axis=(1, 2, 3)), atol=0.5)
    assert np.isin(images, range(10)).all()


def test_a_batch_is_either_blended_or_pasted_and_both_happen():
    layer = only_layer(mixup=1.0, cutmix=1.0, seed=0)
    level = np.broadcast_to(CLASSES.astype("float32")[:, None, None, None], (64, 8, 8, 1))
    pasted = [np.isin(applied(layer, level)[0], range(10)).all() for _ in range(30)]
    assert 5 < sum(pasted) < 25


def test_each_image_gets_operations_of_its_own_and_strength_says_how_far():
    same = np.repeat(IMAGES[:1], 200, axis=0)
    layer = kexp.models.RandomOperations(count=1, strength=0.5, seed=0)
    images = layer(same, training=True).numpy()
    assert len({image.tobytes() for image in images}) > 50
    weak = kexp.models.RandomOperations(count=1, strength=0.05, seed=0)(same, training=True).numpy()
    assert np.abs(weak - same).mean() < 0.5 * np.abs(images - same).mean()


def test_colour_images_lose_colour_too():
    red = np.zeros((200, 8, 8, 3), "float32")
    red[..., 0] = IMAGES[0, ..., 0]
    images = kexp.models.RandomOperations(count=1, strength=1.0, seed=0)(red, training=True).numpy()
    assert ((images[..., 1] > 0).any(axis=(1, 2)) & (images[..., 1] < images[..., 0]).any(axis=(1, 2))).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mixup": 1.5}, "mixup must be a number from 0 to 1; received 1.5"),
        ({"shift": -0.1}, "shift must be a number from 0 to 1; received -0.1"),
        ({"randaugment": -1}, "randaugment must be a number of operations, 0 or more; received -1"),
    ],
)
def test_an_argument_out_of_its_range_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        kexp.models.image_augmentation("uint8", **options)


def test_plain_keras_trains_with_the_layers_in_its_data_pipeline():
    layers = kexp.models.image_augmentation(
        "uint8", shift=0.1, randaugment=1, erasing=0.5, mixup=0.2, cutmix=1.0
    )

    def augment(images, labels):
        for layer in layers[:-1]:
            images = layer(images, training=True)
        mixed = layers[-1]({"images": images, "labels": labels}, training=True)
        return mixed["images"], mixed["labels"]

    batches = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(24).map(augment)
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(8,), dtype="float32")
    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    history = model.fit(batches, epochs=2, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_plain_keras_trains_and_saves_a_model_with_the_layers_inside(tmp_path):
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    images = keras.Sequential(kexp.models.image_augmentation("uint8", flip=True, randaugment=1))(inputs)
    model = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(images)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(DIGITS.inputs[:64], CLASSES, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded(DIGITS.inputs[:4], training=False), model(DIGITS.inputs[:4], training=False)
    )

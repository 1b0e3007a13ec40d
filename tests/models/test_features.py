"""Features are what a layer gives without training, of arrays and of whole data sets, and can be trained "
"on."""

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError


@pytest.fixture(scope="module")
def nested():
    """A model with one inside, dropout and batch normalisation, which training would change."""
    inner = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(4, 3, name="conv"),
            keras.layers.BatchNormalization(name="normal"),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dropout(0.5, name="dropped"),
        ],
        name="inner",
    )
    inputs = keras.Input((6, 6, 1))
    return keras.Model(inputs, keras.layers.Dense(3, name="head")(inner(inputs)), name="outer")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(7, 6, 6, 1)).astype(np.float32)


def test_by_default_features_are_what_the_last_layer_sees(nested, images):
    found = kexp.models.features(nested, images, batch_size=3)
    expected = np.asarray(nested.get_layer("inner")(images, training=False))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(found, kexp.models.features(nested, images, batch_size=3))


@pytest.mark.parametrize("name", ["conv", "inner/conv"])
def test_a_layer_inside_another_model_is_found_by_its_name(nested, images, name):
    convolution = nested.get_layer("inner").get_layer("conv")
    found = kexp.models.features(nested, images, name)
    np.testing.assert_allclose(found, np.asarray(convolution(images)), atol=1e-6)
    assert kexp.models.features(nested, images, "inner").shape == (7, 64)
    assert kexp.models.features(nested, images, "head").shape == (7, 3)


def test_the_model_is_left_as_it_was(nested, images):
    before = [np.array(variable) for variable in nested.variables]
    answers = np.asarray(nested(images, training=False))
    kexp.models.features(nested, images, "conv")
    for variable, value in zip(nested.variables, before, strict=True):
        np.testing.assert_array_equal(np.array(variable), value)
    np.testing.assert_array_equal(np.asarray(nested(images, training=False)), answers)
    assert "call" not in vars(nested.get_layer("inner").get_layer("conv"))
    assert nested.get_layer("inner").get_layer("conv").output.shape == (None, 4, 4, 4)


def test_a_model_of_a_class_of_its_own_has_features_too(images):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = (
                keras.layers.Dense(5, name="first"),
                keras.layers.Dense(2, name="second"),
            )

        def call(self, x):
            return self.second(keras.ops.relu(self.first(keras.ops.reshape(x, (-1, 36)))))

    model = Own()
    model(images)
    found = kexp.models.features(model, images)
    expected = np.maximum(images.reshape(7, 36) @ np.asarray(model.first.kernel), 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_features_of_recurrent_models_and_of_tables_are_features(tmp_path):
    series = kexp.models.rnn((5, 2), 3, units=(4,))
    found = kexp.models.features(series, np.zeros((2, 5, 2), np.float32))
    assert found.shape == (2, 4)
    frame = {"x_train": np.zeros((4, 2), np.float32)}
    columns = {"a": keras.Input((), name="a"), "b": keras.Input((), name="b")}
    joined = keras.ops.stack(list(columns.values()), axis=-1)
    table = keras.Model(columns, keras.layers.Dense(1)(keras.layers.Dense(6, name="seen")(joined)))
    of_table = {name: frame["x_train"][:, place] for place, name in enumerate("ab")}
    assert kexp.models.features(table, of_table).shape == (4, 6)


def test_features_of_a_data_set_keep_its_parts_targets_and_names_and_are_trained_on(digits_run, tmp_path):
    result, data = kexp.load(digits_run), kexp.data.load("digits")
    found = kexp.models.features(result, data)
    assert found.spec.kind == "array"
    assert found.spec.class_names == data.spec.class_names
    for part in ("train", "validation", "test"):
        own, given = getattr(found, part), getattr(data, part)
        np.testing.assert_array_equal(own.targets, given.targets)
        np.testing.assert_array_equal(own.inputs, kexp.models.features(result, given.inputs))
        assert not own.inputs.flags.writeable
    assert (
        found.fingerprint
        == kexp.models.features(result, data, batch_size=256).fingerprint
        != data.fingerprint
    )
    trained = kexp.recipes.mlp_tabular(
        data=found, hidden=(16,), epochs=3, run_dir=str(tmp_path / "run"), quiet=True
    )
    assert trained.metrics["test_accuracy"] > 0.8


def test_pretrained_features_of_images_tell_them_apart(tmp_path):
    rng = np.random.default_rng(0)
    flat = np.broadcast_to(rng.integers(0, 256, (12, 1, 1, 3)), (12, 32, 32, 3))
    noisy = rng.integers(0, 256, (12, 32, 32, 3))
    data = kexp.data.load(
        (np.concatenate([flat, noisy]).astype(np.uint8), np.arange(24) // 12), validation=0.2
    )
    backbone = kexp.models.pretrained("efficientnet_lite0", (32, 32, 3), image_size=(32, 32))
    found = kexp.models.features(backbone, data, "features")
    assert found.spec.input_shape == (1280,)
    means = [found.train.inputs[found.train.targets == label].mean(axis=0) for label in (0, 1)]
    distances = [np.linalg.norm(found.test.inputs - mean, axis=1) for mean in means]
    np.testing.assert_array_equal(np.argmin(distances, axis=0), found.test.targets)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layer": "convv"}, "did you mean 'conv'"),
        ({"layer": "absent"}, r"model.summary\(\) lists them"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"data": np.zeros((0, 6, 6, 1))}, "received none"),
        ({"data": np.zeros((2, 5))}, "cannot be read as inputs of the model"),
        ({"data": np.full((2, 6, 6, 1), np.inf)}, "features of sample 0 are not finite"),
        ({"model": "digits"}, "model must be a Keras model"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(nested, images, options, said):
    with pytest.raises(InputError, match=said):
        kexp.models.features(**{"model": nested, "data": images, **options})


def test_features_in_half_precision_are_floats_too():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, dtype="mixed_bfloat16", name="half")])
    found = kexp.models.features(model, np.ones((2, 2), np.float32), "half")
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, np.tile(np.asarray(model.layers[0].kernel).sum(axis=0), (2, 1)), atol=0.02
    )


def test_several_layers_of_one_name_are_told_apart():
    def part(name):
        return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="same")], name=name)

    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Add()([part("left")(inputs), part("right")(inputs)]))
    x = np.ones((1, 2), np.float32)
    with pytest.raises(InputError, match="give one of left/same, right/same"):
        kexp.models.features(model, x, "same")
    expected = np.asarray(model.get_layer("right")(x))
    np.testing.assert_allclose(kexp.models.features(model, x, "right/same"), expected, atol=1e-6)

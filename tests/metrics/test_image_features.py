"""Features are what the last dense layer takes, wherever it stands; labels are what it answers."""

import keras
import numpy as np
import pytest
from keras import layers

import kexp
from kexp.core.errors import InputError
from kexp.core.keras_private import all_layers
from kexp.core.precision import precision
from kexp.metrics.image_features import Features
from kexp.run.inference import raw_model

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 1)).astype("uint8")


def plain():
    return kexp.models.cnn((8, 8, 1), 5, filters=(4, 6), head="average")


def behind_another():
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    before = keras.Model(inputs, layers.Rescaling(1.0, dtype="float32")(inputs))
    return raw_model(kexp.models.cnn((8, 8, 1), 5, filters=(4, 6), head="average", dtype="float32"), before)


def with_probabilities():
    model = plain()
    x = layers.Activation("softmax")(model.output)
    return keras.Model(model.input, layers.Activation("linear", dtype="float32")(x))


def in_a_row():
    return keras.Sequential([keras.Input((8, 8, 1), dtype="uint8"), plain(), layers.Softmax()])


@keras.saving.register_keras_serializable(package="test")
class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = plain()

    def call(self, inputs):
        return self.inner(inputs)


@pytest.mark.parametrize("network", [plain, behind_another, with_probabilities, in_a_row, Own])
def test_features_are_what_the_last_dense_layer_takes_in_models_of_any_make(network):
    model = network()
    features = Features("net", model)
    given, labels = features.both(IMAGES)
    assert (given.shape, given.dtype) == ((300, 6), np.float32)
    assert (labels.shape, labels.dtype, features.classes) == ((300,), np.int64, 5)
    head = next(layer for layer in all_layers(model) if isinstance(layer, layers.Dense))
    np.testing.assert_array_equal(np.argmax(head(given), axis=1), labels)
    np.testing.assert_allclose(given, features.features(IMAGES), atol=0)
    np.testing.assert_array_equal(labels, features.labels(IMAGES))


def test_the_hidden_layers_of_a_perceptron_are_not_taken_for_its_last():
    mlp = kexp.models.mlp((8, 8, 1), 7, hidden=(7, 7, 9), dtype="uint8")
    assert Features("mlp", mlp).features(IMAGES).shape == (300, 9)


def test_features_leave_the_network_as_it_was():
    model = plain()
    before = [np.copy(weight) for weight in model.get_weights()]
    expected = np.asarray(model(IMAGES[:10]))
    Features("net", model).both(IMAGES)
    assert not any("call" in vars(layer) for layer in all_layers(model))
    np.testing.assert_array_equal(model(IMAGES[:10]), expected)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_half_precision_gives_float32_features():
    with precision("bfloat16"):
        model = plain()
    given, _ = Features("net", model).both(IMAGES)
    assert given.dtype == np.float32
    assert np.isfinite(given).all()


def test_a_network_is_made_once_and_not_before_it_is_used():
    made = []
    features = Features("lazy", lambda: made.append(plain()) or made[-1])
    assert not made
    features.features(IMAGES[:2])
    features.labels(IMAGES[:2])
    assert len(made) == 1


def test_the_outputs_of_a_network_without_a_head_are_its_features():
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    model = keras.Model(inputs, layers.Flatten()(layers.Rescaling(0.5)(inputs)))
    features = Features("flat", model, head=False)
    given, labels = features.both(IMAGES)
    np.testing.assert_array_equal(given, IMAGES.reshape(300, 64) / 2)
    assert labels is None
    assert features.classes is None
    with pytest.raises(InputError, match="features flat have no classes"):
        features.labels(IMAGES)


def test_a_network_that_ends_in_no_dense_layer_is_refused_with_the_way_out():
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    model = keras.Model(inputs, layers.Flatten()(layers.Dense(3)(layers.Rescaling(1.0)(inputs))))
    features = Features("flat", model)
    for _ in range(2):
        with pytest.raises(InputError, match=r"must end in a dense layer .* give head=False"):
            features.features(IMAGES)


def test_names_are_made_fit_for_the_names_of_figures():
    assert Features("ResNet-20 (mine).v2", plain).name == "resnet_20_mine_v2"
    with pytest.raises(InputError, match="name must have letters or digits"):
        Features("…", plain)


def test_no_image_has_no_features():
    with pytest.raises(InputError, match="images must be one or more"):
        Features("net", plain).features(IMAGES[:0])

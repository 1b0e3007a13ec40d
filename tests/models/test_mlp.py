"""The multi-layer perceptron has the weights it should have, and learns with all of them."""

import keras
import numpy as np
import pytest

import kexp
from tests.models.checks import (
    POLICIES,
    assert_mixed_precision_is_close,
    assert_one_step_changes_every_weight,
    assert_saving_keeps_the_answers,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28, 1), dtype="uint8")


def test_the_published_network_has_235146_parameters():
    # 784 × 256 + 256, 256 × 128 + 128, 128 × 10 + 10
    assert kexp.models.mlp((28, 28, 1), 10, hidden=(256, 128), dropout=0.2).count_params() == 235_146


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "sigmoid", "swish"])
@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
def test_every_weight_learns_and_saving_keeps_the_answers(activation, normalization, tmp_path):
    model = kexp.models.mlp(
        (28, 28, 1), 10, hidden=(16, 8), activation=activation, normalization=normalization, dtype="uint8"
    )
    assert model(IMAGES).shape == (6, 10)
    assert_one_step_changes_every_weight(model, IMAGES)
    assert_saving_keeps_the_answers(model, IMAGES, tmp_path)


def test_bytes_are_scaled_to_one_and_floats_are_taken_as_they_come():
    keras.utils.set_random_seed(0)
    of_bytes = kexp.models.mlp((28, 28, 1), 10, dtype="uint8")
    of_floats = kexp.models.mlp((28, 28, 1), 10, dtype="float32")
    of_floats.set_weights(of_bytes.get_weights())
    np.testing.assert_allclose(of_bytes(IMAGES), of_floats(IMAGES / np.float32(255)), atol=1e-5)


def test_outputs_are_scaled_and_shifted_for_regression():
    keras.utils.set_random_seed(0)
    plain = kexp.models.mlp((3,), 2, hidden=(4,))
    scaled = kexp.models.mlp((3,), 2, hidden=(4,), output_scale=[2.0, 10.0], output_offset=[1.0, -5.0])
    scaled.set_weights(plain.get_weights())
    inputs = np.ones((1, 3), "float32")
    np.testing.assert_allclose(scaled(inputs), plain(inputs) * [2.0, 10.0] + [1.0, -5.0], rtol=1e-5)


def test_dropout_is_on_in_training_only():
    model = kexp.models.mlp((28, 28, 1), 10, dropout=0.5, dtype="uint8")
    np.testing.assert_array_equal(model(IMAGES, training=False), model(IMAGES, training=False))
    assert not np.array_equal(model(IMAGES, training=True), model(IMAGES, training=True))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
def test_mixed_precision_gives_nearly_the_same_values_in_float32(normalization, policy):
    def build():
        return kexp.models.mlp(
            (28, 28, 1),
            2,
            hidden=(16,),
            normalization=normalization,
            dtype="uint8",
            output_scale=[100.0, 1.0],
            output_offset=[70_000.0, 0.0],  # above what float16 can hold
        )

    assert_mixed_precision_is_close(build, IMAGES, policy, computes="dense")

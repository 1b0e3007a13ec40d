"""U-Nets answer for each pixel of images of any size, and learn with all of their weights."""

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from tests.models.checks import (
    POLICIES,
    assert_mixed_precision_is_close,
    assert_one_step_changes_every_weight,
    assert_saving_keeps_the_answers,
    assert_the_gradient_compiles_under_xla,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 7, 10, 3), dtype="uint8")


def unet(**options):
    return kexp.models.unet((7, 10, 3), 4, filters=(4, 6, 8), **options)


def of_one_pixel(**options):
    model = unet(**options)
    return keras.Model(model.input, keras.ops.mean(model.output, axis=(1, 2)))


def test_the_model_has_the_parameters_of_a_hand_count():
    def double(channels, filters):
        return 9 * channels * filters + 9 * filters * filters + 2 * 4 * filters

    down = double(3, 16) + double(16, 32) + double(32, 64)
    up = 4 * 64 * 32 + 32 + double(64, 32) + 4 * 32 * 16 + 16 + double(32, 16)
    assert kexp.models.unet((30, 45, 3), 2).count_params() == down + up + 16 * 2 + 2


@pytest.mark.parametrize("normalization", ["none", "batch", pytest.param("layer", marks=pytest.mark.slow)])
def test_every_weight_learns_and_saving_keeps_the_answers(normalization, tmp_path):
    keras.utils.set_random_seed(0)
    model = of_one_pixel(normalization=normalization, activation="swish")
    assert_one_step_changes_every_weight(model, IMAGES)
    assert_saving_keeps_the_answers(model, IMAGES, tmp_path)


@pytest.mark.parametrize("size", [(8, 8), (13, 6), (1, 2)])
def test_answers_have_the_size_of_the_images(size):
    model = kexp.models.unet((*size, 3), 4, filters=(4, 6, 8, 10))
    images = np.zeros((2, *size, 3), "uint8")
    assert model.output_shape == (None, *size, 4)
    assert model(images).shape == (2, *size, 4)


def test_an_answer_depends_on_its_own_pixel_and_on_distant_ones():
    model = kexp.models.unet((16, 16, 1), 1, filters=(4, 6, 8), activation="tanh", dtype="float32")
    nothing = np.zeros((1, 16, 16, 1), "float32")
    dot = nothing.copy()
    dot[0, 3, 3] = 1
    moved = np.abs(np.subtract(model(dot), model(nothing)))[0, ..., 0]
    assert moved[3, 3] > 1e-3
    assert moved[8, 8] > 1e-6  # the four convolutions of the first level alone reach four pixels far


def test_bytes_are_scaled_to_one():
    keras.utils.set_random_seed(0)
    of_bytes, of_floats = unet(), unet(dtype="float32")
    of_floats.set_weights(of_bytes.get_weights())
    np.testing.assert_allclose(of_bytes(IMAGES), of_floats(IMAGES / np.float32(255)), atol=1e-5)


def test_the_gradient_compiles_whole_under_xla():
    assert_the_gradient_compiles_under_xla(kexp.models.unet((7, 10, 3), 4, filters=(3, 4)), IMAGES)


@pytest.mark.parametrize("policy", POLICIES)
def test_mixed_precision_gives_nearly_the_same_logits_in_float32(policy):
    keras.utils.set_random_seed(0)
    assert_mixed_precision_is_close(of_one_pixel, IMAGES, policy, computes="conv2d")


def test_a_shape_that_is_not_of_an_image_is_refused():
    with pytest.raises(
        InputError, match=r"input_shape must be \(height, width, channels\); received \(28, 28\)"
    ):
        kexp.models.unet((28, 28), 2)
    with pytest.raises(InputError, match="filters must be those of one level or more"):
        kexp.models.unet((28, 28, 1), 2, filters=())

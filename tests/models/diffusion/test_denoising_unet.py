"""Diffusion U-Nets take images of any size with their time and label, and learn with all of their weights."""

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

RANDOM = np.random.default_rng(0)
NOISY = RANDOM.uniform(-1, 1, (4, 7, 10, 3)).astype("float32")
TIME = np.array([0, 3, 500, 999], "float32")
LABEL = np.array([0, 1, 2, 2], "int32")
INPUTS = [NOISY, TIME, LABEL]


def diffusion_unet(**options):
    keras.utils.set_random_seed(0)
    sizes = {"classes": 2, "filters": (4, 8), "heads": 2}
    return kexp.models.diffusion_unet((7, 10, 3), **sizes | options)


def from_images(**options):
    """Return a model of images alone: of their means it makes times and labels, of its answers classes."""
    model = diffusion_unet(**options)
    images = keras.Input((7, 10, 3))
    level = keras.ops.mean(images, axis=(1, 2, 3))
    time, label = 500 + 400 * level, keras.ops.cast(level > 0, "int32")
    return keras.Model(images, keras.ops.mean(model([images, time, label]), axis=(1, 2)))


@pytest.fixture(scope="module")
def model():
    return diffusion_unet()


def test_the_model_has_the_parameters_of_a_hand_count(model):
    def block(channels, filters):
        norms = 2 * channels + 2 * filters
        skip = 0 if channels == filters else channels * filters + filters
        told = 16 * filters + filters
        return norms + 9 * channels * filters + told + 9 * filters * filters + filters + skip

    condition = 2 * (16 * 16 + 16) + 3 * 16
    ends = 9 * 3 * 4 + 4 + 2 * 4 + 9 * 4 * 3 + 3
    attention = 2 * 8 + 8 * 24 + 8 * 8 + 8
    between = 9 * 4 * 4 + 4 + 4 * 8 * 4 + 4
    levels = block(4, 4) + block(4, 8) + block(8, 4)
    assert model.count_params() == condition + ends + attention + between + levels


@pytest.mark.parametrize("size", [(8, 8), (13, 6), (1, 2)])
def test_answers_have_the_size_of_the_images(size):
    model = kexp.models.diffusion_unet((*size, 2), filters=(4, 8, 8), heads=2)
    assert model.output_shape == (None, *size, 2)
    answers = model([np.zeros((2, *size, 2), "float32"), np.zeros(2, "int32")])
    assert answers.shape == (2, *size, 2)
    assert answers.dtype == "float32"


def test_an_answer_depends_on_its_own_time_and_label_and_on_distant_pixels(model):
    answers = np.asarray(model(INPUTS))
    later, of_none = np.array([0, 3, 500, 998], "float32"), np.array([0, 1, 2, 0], "int32")
    dot = NOISY.copy()
    dot[3, 0, 0] += 1
    for changed in ([NOISY, later, LABEL], [NOISY, TIME, of_none], [dot, TIME, LABEL]):
        moved = np.abs(np.asarray(model(changed)) - answers)
        assert moved[:3].max() < 1e-5
        assert moved[3, -1, -1].max() > 1e-6
    np.testing.assert_allclose(model([NOISY, TIME.astype("int32"), LABEL]), answers, atol=1e-6)


def test_one_label_more_stands_for_none_of_the_classes(model):
    weights = {weight.path: weight.shape for weight in model.weights}
    assert weights["classes/embeddings"] == (3, 16)
    assert len(diffusion_unet(classes=None).inputs) == 2


def test_every_weight_learns_and_saving_keeps_the_answers(tmp_path):
    model = diffusion_unet(activation="gelu", dropout=0.1, attention=2)
    assert_saving_keeps_the_answers(model, INPUTS, tmp_path)
    assert_one_step_changes_every_weight(from_images(), NOISY)


def test_dropout_is_in_training_alone():
    model = diffusion_unet(dropout=0.5)
    np.testing.assert_array_equal(model(INPUTS, training=False), model(INPUTS, training=False))
    assert np.abs(np.subtract(model(INPUTS, training=True), model(INPUTS, training=False))).max() > 1e-3


@pytest.mark.slow
def test_the_gradient_compiles_whole_under_xla():
    assert_the_gradient_compiles_under_xla(from_images(filters=(4, 4)), NOISY)


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
def test_mixed_precision_gives_nearly_the_same_answers_in_float32(policy):
    assert_mixed_precision_is_close(diffusion_unet, INPUTS, policy, computes="conv2d")


@pytest.mark.slow
def test_half_precision_tells_neighbouring_steps_apart():
    embedding = kexp.models.SinusoidalEmbedding(16, dtype="float32")
    vectors = np.asarray(embedding(np.arange(1000, dtype="float32")))
    gaps = np.abs(np.diff(vectors, axis=0)).max(axis=1)
    assert gaps.min() > 0.4
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = diffusion_unet()
    finally:
        keras.config.set_dtype_policy("float32")
    told = keras.Model(mixed.inputs[1], mixed.get_layer("sinusoid").output)(np.array([998.0, 999.0]))
    np.testing.assert_allclose(told, vectors[998:], atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (28, 28)}, r"input_shape must be \(height, width, channels\); received \(28, 28\)"),
        ({"filters": ()}, "filters must be those of one level or more"),
        ({"classes": 0}, "classes must be a whole number, 1 or more, or None; received 0"),
        ({"attention": 4}, "attention must be a whole number, from 0 to 3; received 4"),
        ({"heads": 0}, "heads must be a whole number, 1 or more; received 0"),
        ({"heads": 5}, "attention must be multiples of heads, 5; received 96"),
    ],
)
def test_what_cannot_be_built_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        kexp.models.diffusion_unet(**{"input_shape": (28, 28, 1)} | arguments)
    with pytest.raises(InputError, match="width must be an even number, 2 or more; received 3"):
        kexp.models.SinusoidalEmbedding(3)

"""Transformers for images have the published sizes, and learn with all of their weights."""

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

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 12, 8, 3), dtype="uint8")
SMALL = {"width": 16, "depth": 2, "heads": 2}

BUILDERS = {
    "vit": lambda **options: kexp.models.vit((12, 8, 3), 10, **SMALL | options),
    "cct": lambda **options: kexp.models.cct((12, 8, 3), 10, filters=8, **SMALL | options),
}


def parameters_of_blocks(width, depth, expansion):
    norm = 2 * width
    attention = 3 * width * width + width * width + width
    dense = 2 * expansion * width * width + expansion * width + width
    return depth * (2 * norm + attention + dense) + norm


def test_the_vision_transformer_has_the_parameters_of_a_hand_count():
    model = kexp.models.vit((32, 32, 3), 10, patch=4, width=64, depth=6, heads=4, expansion=2)
    patches = 4 * 4 * 3 * 64 + 64 + 8 * 8 * 64
    assert model.count_params() == patches + parameters_of_blocks(64, 6, 2) + 64 * 10 + 10


@pytest.mark.parametrize(
    ("builder", "millions", "tokenizer", "width", "depth", "expansion", "steps"),
    [
        (kexp.models.cct_7_3x1, 3.76, 27 * 256, 256, 7, 2, 256),
        (kexp.models.cct_2_3x2, 0.28, 27 * 64 + 9 * 64 * 128, 128, 2, 1, 64),
    ],
)
def test_compact_transformers_have_the_sizes_of_the_paper(
    builder, millions, tokenizer, width, depth, expansion, steps
):
    count = builder((32, 32, 3), 10).count_params()
    assert count / 1e6 == pytest.approx(millions, abs=0.005)
    pooling, head = width, 10 * width + 10
    blocks = parameters_of_blocks(width, depth, expansion)
    assert count == tokenizer + steps * width + blocks + pooling + head


@pytest.mark.parametrize("name", BUILDERS)
def test_every_weight_learns_and_saving_keeps_the_answers(name, tmp_path):
    model = BUILDERS[name]()
    assert model(IMAGES).shape == (6, 10)
    assert_one_step_changes_every_weight(model, IMAGES)
    assert_saving_keeps_the_answers(model, IMAGES, tmp_path)


@pytest.mark.parametrize("name", [pytest.param("vit", marks=pytest.mark.slow), "cct"])
def test_the_gradient_compiles_whole_under_xla(name):
    assert_the_gradient_compiles_under_xla(BUILDERS[name](depth=1), IMAGES)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", BUILDERS)
def test_mixed_precision_gives_nearly_the_same_logits_in_float32(name, policy):
    assert_mixed_precision_is_close(BUILDERS[name], IMAGES, policy, computes="block")


@pytest.mark.parametrize("name", BUILDERS)
def test_the_share_of_skipped_blocks_grows_linearly_and_is_drawn_in_training_only(name, tmp_path):
    model = BUILDERS[name](depth=3, stochastic_depth=0.6)
    rates = [
        block.stochastic_depth for block in model.layers if isinstance(block, kexp.models.TransformerBlock)
    ]
    assert rates == pytest.approx([0.2, 0.4, 0.6])
    assert not np.array_equal(model(IMAGES, training=True), model(IMAGES, training=True))
    np.testing.assert_array_equal(model(IMAGES, training=False), model(IMAGES, training=False))
    assert_saving_keeps_the_answers(model, IMAGES, tmp_path)


@pytest.mark.parametrize("name", BUILDERS)
def test_bytes_are_scaled_to_one_and_floats_are_taken_as_they_come(name):
    of_bytes, of_floats = BUILDERS[name](dtype="uint8"), BUILDERS[name](dtype="float32")
    of_floats.set_weights(of_bytes.get_weights())
    np.testing.assert_allclose(of_bytes(IMAGES), of_floats(IMAGES / np.float32(255)), atol=1e-5)


def test_patches_that_do_not_fit_and_a_width_that_heads_cannot_share_are_refused():
    with pytest.raises(InputError, match=r"patch must divide height and width, \(12, 8\); received 5"):
        BUILDERS["vit"](patch=5)
    with pytest.raises(InputError, match="width must be a multiple of heads, 5; received 16"):
        BUILDERS["cct"](heads=5)
    with pytest.raises(InputError, match=r"rate must be a number from 0 to below 1; received 1\.0"):
        BUILDERS["vit"](stochastic_depth=1.0)

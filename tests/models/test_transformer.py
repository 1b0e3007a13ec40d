"""Transformers see all but padding, the decoder only what is past, and learn with all of their weights."""

import keras
import numpy as np
import pytest
from keras import ops

import kexp
from kexp.core.errors import InputError
from kexp.models.layers.rotary_positions import rotate
from tests.models.checks import (
    POLICIES,
    assert_mixed_precision_is_close,
    assert_one_step_changes_every_weight,
    assert_saving_keeps_the_answers,
    assert_the_gradient_compiles_under_xla,
    built_under,
)

RANDOM = np.random.default_rng(0)
SERIES = RANDOM.normal(size=(6, 8, 3)).astype("float32")
SERIES[1, 5:] = SERIES[4, 2:] = np.nan
SERIES[2, 3, 0] = np.nan  # one channel alone is missing: no padding
TEXTS = RANDOM.integers(1, 20, (6, 8), dtype="int32")
TEXTS[1, 5:] = TEXTS[4, 2:] = 0

TODAY = {"block_norm": "rms", "feed_forward": "swiglu", "query_key_norm": True}
SMALL = {"width": 16, "depth": 2, "heads": 2, "expansion": 2, "dropout": 0.0}


def of_series(steps=8, **options):
    return kexp.models.transformer_encoder((steps, 3), 4, **SMALL | options)


def of_texts(steps=8, **options):
    return kexp.models.transformer_encoder((steps,), 4, vocabulary=20, **SMALL | options)


def decoder(**options):
    return kexp.models.transformer_decoder(8, 20, **SMALL | options)


def last_step(**options):
    model = decoder(**options)
    return keras.Model(model.input, model.output[:, -1])


MODELS = {
    "series": (lambda **options: of_series(None, **options), SERIES),
    "texts": (lambda **options: of_texts(positions="learned", pooling="attention", **options), TEXTS),
    "texts without positions": (
        lambda **options: of_texts(positions="none", pooling="first", **options),
        TEXTS,
    ),
    "decoder": (last_step, TEXTS),
    "decoder of today": (lambda **options: last_step(**TODAY, **options), TEXTS),
    "decoder with learned positions": (lambda **options: last_step(positions="learned", **options), TEXTS),
}


def parameters_of_blocks(width, depth, expansion):
    norm = 2 * width
    attention = 3 * width * width + width * width + width
    dense = 2 * expansion * width * width + expansion * width + width
    return depth * (2 * norm + attention + dense) + norm


def test_models_have_the_parameters_of_a_hand_count():
    blocks = parameters_of_blocks(32, 3, 4)
    sizes = {"width": 32, "depth": 3, "heads": 4, "expansion": 4}
    series = kexp.models.transformer_encoder((None, 12), 9, **sizes)
    assert series.count_params() == 12 * 32 + 32 + blocks + 32 * 9 + 9
    texts = kexp.models.transformer_encoder((50,), 2, vocabulary=100, positions="learned", **sizes)
    assert texts.count_params() == 100 * 32 + 50 * 32 + blocks + 32 * 2 + 2
    causal = kexp.models.transformer_decoder(50, 100, positions="learned", **sizes)
    assert causal.count_params() == 100 * 32 + 50 * 32 + blocks


@pytest.mark.parametrize("name", MODELS)
def test_every_weight_learns_and_saving_keeps_the_answers(name, tmp_path):
    build, inputs = MODELS[name]
    model = build()
    answers = model(inputs)
    assert answers.shape == (6, model.output_shape[-1])
    assert np.isfinite(answers).all()
    assert_one_step_changes_every_weight(model, inputs)
    assert np.isfinite(model(inputs)).all()
    assert_saving_keeps_the_answers(model, inputs, tmp_path)


@pytest.mark.parametrize("name", ["series", pytest.param("texts", marks=pytest.mark.slow), "decoder"])
def test_the_gradient_compiles_whole_under_xla(name):
    build, inputs = MODELS[name]
    assert_the_gradient_compiles_under_xla(build(depth=1), inputs)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["series", "texts", "decoder with learned positions"])
def test_mixed_precision_gives_nearly_the_same_logits_in_float32(name, policy):
    build, inputs = MODELS[name]
    keras.utils.set_random_seed(0)
    assert_mixed_precision_is_close(build, inputs, policy, computes="block")


@pytest.mark.parametrize("pooling", ["average", "first", "attention"])
@pytest.mark.parametrize(("build", "inputs"), [(of_series, SERIES), (of_texts, TEXTS)])
@pytest.mark.parametrize("training", [False, True])
def test_more_padding_changes_nothing(build, inputs, pooling, training):
    model = build(None, pooling=pooling)
    longer = np.concatenate([inputs, np.full_like(inputs, np.nan if inputs.ndim > 2 else 0)], axis=1)
    np.testing.assert_allclose(model(longer, training=training), model(inputs, training=training), atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("pooling", ["average", "first", "attention"])
@pytest.mark.parametrize(("build", "inputs"), [(of_series, SERIES), (of_texts, TEXTS)])
def test_samples_of_padding_alone_give_numbers(build, inputs, pooling, policy):
    model = built_under(policy, lambda: build(pooling=pooling))
    assert np.isfinite(model(np.full_like(inputs, np.nan if inputs.ndim > 2 else 0))).all()


def test_order_is_seen_with_positions_only():
    swapped = TEXTS[:1, ::-1].copy()
    for positions, seen in (("rotary", True), ("learned", True), ("none", False)):
        model = of_texts(positions=positions)
        difference = np.abs(np.subtract(model(swapped), model(TEXTS[:1]))).max()
        assert (difference > 1e-4) == seen


def test_rotary_dot_products_depend_on_the_distance_alone():
    queries, keys = RANDOM.normal(size=(2, 1, 10, 2, 8)).astype("float32")

    def products(query_start, key_start):
        turned = rotate(queries, query_start), rotate(keys, key_start)
        return np.asarray(ops.einsum("bqhd,bkhd->bhqk", *turned))

    np.testing.assert_allclose(products(0, 0), products(100, 100), atol=1e-4)
    np.testing.assert_allclose(products(0, 3), products(50, 53), atol=1e-4)
    assert np.abs(products(0, 0) - products(0, 3)).max() > 0.1
    lengths = np.linalg.norm(rotate(queries), axis=-1)
    np.testing.assert_allclose(lengths, np.linalg.norm(queries, axis=-1), rtol=1e-5)


@pytest.mark.parametrize("positions", ["rotary", "learned", "none"])
def test_a_token_changes_no_logits_before_its_own_step(positions):
    model = decoder(positions=positions)
    before = np.asarray(model(TEXTS))
    for step in range(8):
        changed = TEXTS.copy()
        changed[:, step] = changed[:, step] % 19 + 1
        after = np.asarray(model(changed))
        np.testing.assert_array_equal(after[:, :step], before[:, :step])
        assert (after[:, step:] != before[:, step:]).any(axis=(0, 2)).all()


def test_the_embedding_is_the_output_layer():
    model = decoder()
    shapes = [weight.shape for weight in model.weights]
    assert shapes.count((20, 16)) == 1
    assert (16, 20) not in shapes


def test_blocks_of_today_have_the_parameters_of_a_hand_count():
    plain, swiglu, rms, normalized = (
        decoder(expansion=3, **options).count_params()
        for options in ({}, {"feed_forward": "swiglu"}, {"block_norm": "rms"}, {"query_key_norm": True})
    )
    assert swiglu - plain == 2 * (2 * 32 - 48)  # biases alone: both thirds of the units have one
    assert plain - rms == (2 * 2 + 1) * 16  # no offsets
    assert normalized - plain == 2 * 2 * 8  # a scale for each number of a head's queries and keys


def test_blocks_that_begin_at_zero_change_nothing_and_learn():
    model = decoder(zero_init=True)
    tokens = model.get_layer("tokens")(TEXTS)
    block = model.get_layer("block_0")
    np.testing.assert_array_equal(block(tokens), tokens)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(TEXTS, TEXTS, epochs=1, verbose=0)
    assert np.abs(np.subtract(block(tokens), tokens)).max() > 0


def test_between_dense_layers_is_what_feed_forward_says():
    tokens = RANDOM.normal(size=(2, 3, 16)).astype("float32")
    for kind, between in (
        ("relu_squared", lambda hidden: np.maximum(hidden, 0) ** 2),
        ("swiglu", lambda hidden: hidden[..., :21] / (1 + np.exp(-hidden[..., :21])) * hidden[..., 21:]),
    ):
        block = kexp.models.TransformerBlock(2, 2, feed_forward=kind)
        block.build(tokens.shape)
        attended = np.asarray(block.attention(block.attention_norm(tokens)) + tokens)
        hidden = np.asarray(block.dense_norm(attended)) @ block.expand.kernel + block.expand.bias
        wanted = attended + between(np.asarray(hidden)) @ block.contract.kernel + block.contract.bias
        np.testing.assert_allclose(block(tokens), wanted, atol=1e-5)


def test_normalised_queries_and_keys_bound_how_sharply_a_step_looks():
    layer = kexp.models.SelfAttention(2, normalized=True)
    series = RANDOM.normal(size=(2, 5, 16)).astype("float32")
    layer.build(series.shape)
    before = np.asarray(layer.attention_weights(series))
    layer.project.kernel.assign(100 * layer.project.kernel)
    np.testing.assert_allclose(layer.attention_weights(series), before, atol=1e-4)
    scores = np.log(before)
    assert (scores.max(axis=-1) - scores.min(axis=-1)).max() <= 2 * np.sqrt(8)


def test_dropout_is_on_in_training_only():
    model = of_series(dropout=0.5)
    np.testing.assert_array_equal(model(SERIES, training=False), model(SERIES, training=False))
    assert not np.array_equal(model(SERIES, training=True), model(SERIES, training=True))


def test_outputs_are_scaled_and_shifted_for_regression():
    plain, scaled = of_series(), of_series(output_scale=[2.0, 1, 1, 1], output_offset=[0.0, -5, 0, 0])
    scaled.set_weights(plain.get_weights())
    np.testing.assert_allclose(scaled(SERIES), plain(SERIES) * [2, 1, 1, 1] + [0, -5, 0, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((8, 3), {"width": 30, "heads": 4}, "width must be a multiple of heads, 4; received 30"),
        ((8, 3), {"width": 12, "heads": 4}, r"width / heads must be even .* received 12 / 4 = 3"),
        ((None, 3), {"positions": "learned"}, 'positions must be "rotary" or "none" where'),
        ((8,), {}, r"input_shape must be \(steps, channels\) without a vocabulary"),
        ((8, 3), {"block_norm": "batch"}, "block_norm must be one of 'layer', 'rms'"),
        ((8, 3), {"feed_forward": "glu"}, "feed_forward must be one of 'dense', 'relu_squared', 'swiglu'"),
        ((8, 3), {"vocabulary": 9}, r"input_shape must be \(steps,\) with a vocabulary"),
    ],
)
def test_what_does_not_fit_is_refused(shape, options, message):
    with pytest.raises(InputError, match=message):
        kexp.models.transformer_encoder(shape, 2, **options)

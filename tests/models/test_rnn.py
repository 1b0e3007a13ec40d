"""Recurrent networks see no padding, answer from the last real step, and learn with all of their weights."""

import functools

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
SERIES = RANDOM.normal(size=(6, 5, 3)).astype("float32")
SERIES[1, 3:] = SERIES[4, 1:] = np.nan
TEXTS = RANDOM.integers(1, 20, (6, 5), dtype="int32")
TEXTS[1, 3:] = TEXTS[4, 1:] = 0


def of_series(steps=None, **options):
    return kexp.models.rnn((steps, 3), 4, **{"units": (5,)} | options)


def of_texts(steps=None, **options):
    return kexp.models.rnn((steps,), 4, vocabulary=20, embedding=6, **{"units": (5,)} | options)


MODELS = {
    "simple": (lambda **options: of_series(cell="simple", head="max", **options), SERIES),
    "lstm": (lambda **options: of_series(cell="lstm", units=(5, 4), **options), SERIES),
    "gru": (lambda **options: of_texts(cell="gru", bidirectional=True, **options), TEXTS),
    "both ways": (
        lambda **options: of_texts(cell="lstm", bidirectional=True, head="average", units=(5, 4), **options),
        TEXTS,
    ),
    "beside n-grams": (lambda **options: of_texts(cell="gru", ngrams=3, **options), TEXTS),
}


def test_models_have_the_parameters_of_a_hand_count():
    simple = kexp.models.rnn((None, 12), 9, cell="simple", units=(32,))
    assert simple.count_params() == (12 + 32 + 1) * 32 + 32 * 9 + 9
    lstm = kexp.models.rnn((None, 12), 9, units=(32, 16))
    assert lstm.count_params() == 4 * (12 + 32 + 1) * 32 + 4 * (32 + 16 + 1) * 16 + 16 * 9 + 9
    gru = kexp.models.rnn(
        (None,), 2, cell="gru", units=(32,), bidirectional=True, vocabulary=100, embedding=8
    )
    assert gru.count_params() == 100 * 8 + 2 * 3 * (8 + 32 + 2) * 32 + 64 * 2 + 2  # two biases each


@pytest.mark.parametrize(
    "name", ["simple", "lstm", "gru", "beside n-grams", pytest.param("both ways", marks=pytest.mark.slow)]
)
def test_every_weight_learns_and_saving_keeps_the_answers(name, tmp_path):
    build, inputs = MODELS[name]
    keras.utils.set_random_seed(0)
    model = build()
    assert model(inputs).shape == (6, 4)
    assert_one_step_changes_every_weight(model, inputs)
    assert_saving_keeps_the_answers(model, inputs, tmp_path)


@pytest.mark.parametrize(
    ("build", "inputs", "cell", "head"),
    [
        (of_series, SERIES, "simple", "last"),
        (of_series, SERIES, "lstm", "average"),
        (of_series, SERIES, "gru", "max"),
        (of_texts, TEXTS, "lstm", "last"),
        (functools.partial(of_texts, ngrams=3), TEXTS, "simple", "last"),
        pytest.param(of_texts, TEXTS, "gru", "last", marks=pytest.mark.slow),
        pytest.param(of_texts, TEXTS, "simple", "max", marks=pytest.mark.slow),
    ],
)
def test_more_padding_changes_nothing(build, inputs, cell, head):
    padding = np.nan if inputs.ndim > 2 else 0
    inputs = np.concatenate([inputs, np.full_like(inputs[:1], padding)])  # one of padding alone
    longer = np.concatenate([inputs, np.full_like(inputs, padding)], axis=1)
    model = build(cell=cell, head=head, bidirectional=True, units=(5, 4))
    fixed = build(10, cell=cell, head=head, bidirectional=True, units=(5, 4))
    fixed.set_weights(model.get_weights())
    for training in (False, True):
        answers = model(inputs, training=training)
        assert np.isfinite(answers).all()
        np.testing.assert_allclose(fixed(longer, training=training), answers, atol=1e-5)


def test_each_direction_answers_from_its_last_real_step():
    model = of_series(cell="simple", bidirectional=True)
    forward, forward_recurrent, forward_bias, backward, backward_recurrent, backward_bias, head, bias = (
        model.get_weights()
    )
    ahead = back = np.zeros(5)
    for step in SERIES[1, :3]:
        ahead = np.tanh(step @ forward + ahead @ forward_recurrent + forward_bias)
    for step in SERIES[1, 2::-1]:
        back = np.tanh(step @ backward + back @ backward_recurrent + backward_bias)
    np.testing.assert_allclose(model(SERIES)[1], np.concatenate([ahead, back]) @ head + bias, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["simple", "beside n-grams", pytest.param("both ways", marks=pytest.mark.slow)]
)
def test_the_gradient_compiles_whole_under_xla(name):
    build, inputs = MODELS[name]
    assert_the_gradient_compiles_under_xla(build(steps=5), inputs)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("name", "computes"),
    [("lstm", "lstm"), pytest.param("both ways", "bidirectional", marks=pytest.mark.slow)],
)
def test_mixed_precision_gives_nearly_the_same_values_in_float32(name, computes, policy):
    build, inputs = MODELS[name]
    keras.utils.set_random_seed(0)
    assert_mixed_precision_is_close(
        lambda: build(output_scale=100.0, output_offset=70_000.0), inputs, policy, computes=computes
    )


def test_dropout_is_on_in_training_only():
    model = of_series(units=(8, 8), dropout=0.5)
    np.testing.assert_array_equal(model(SERIES, training=False), model(SERIES, training=False))
    assert not np.array_equal(model(SERIES, training=True), model(SERIES, training=True))


def test_a_shape_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"input_shape must be \(steps,\) with a vocabulary"):
        kexp.models.rnn((5, 3), 2, vocabulary=10)
    with pytest.raises(InputError, match=r"input_shape must be \(steps, channels\) without a vocabulary"):
        kexp.models.rnn((5,), 2)
    with pytest.raises(InputError, match="units must be those of one layer or more"):
        kexp.models.rnn((5, 3), 2, units=())


def test_the_output_layer_sees_the_last_steps_where_it_is_asked_to():
    model = kexp.models.rnn((6, 2), 1, units=(4,), skip=3)
    kernel = model.get_layer("logits").kernel
    assert kernel.shape == (4 + 3 * 2, 1)
    kernel.assign(np.eye(10, 1, -9))  # the last channel of the last step alone
    series = np.random.default_rng(0).normal(size=(5, 6, 2)).astype("float32")
    np.testing.assert_allclose(model.predict(series, verbose=0)[:, 0], series[:, -1, 1], rtol=1e-6)
    with pytest.raises(InputError, match="skip must be 0, or steps of series that have as many"):
        kexp.models.rnn((2, 1), 1, skip=3)


def test_a_linear_model_has_a_term_for_each_ngram_of_a_text_and_of_its_edges():
    texts = np.array([[5, 6, 7, 0], [6, 5, 7, 0], [5, 0, 0, 0], [0, 0, 0, 0]], np.int32)
    model = of_texts(ngrams=2)
    ngrams = model.get_layer("ngrams")
    linear = keras.Model(model.input, ngrams.output)
    ngrams.table.assign(np.ones(ngrams.table.shape))
    counts = np.array([3 + 4, 3 + 4, 1 + 2, 1])  # tokens and pairs; of no token the pair of its edges
    expected = np.repeat(ngrams.gain * counts[:, None] ** 0.5, 4, axis=1)
    np.testing.assert_allclose(linear(texts), expected, rtol=1e-5)
    ngrams.table.assign(RANDOM.normal(size=ngrams.table.shape))
    first, second, *_ = np.asarray(linear(texts))
    assert np.abs(first - second).min() > 1e-3  # the same tokens in another order are other pairs


def test_the_scores_of_ngrams_are_added_to_those_of_the_network():
    model = of_texts(ngrams=2, output_scale=3.0, output_offset=7.0)
    ngrams = model.get_layer("ngrams")
    ngrams.table.assign(RANDOM.normal(size=ngrams.table.shape))
    logits, linear = (keras.Model(model.input, model.get_layer(name).output) for name in ("logits", "ngrams"))
    np.testing.assert_allclose(model(TEXTS), 3 * (logits(TEXTS) + linear(TEXTS)) + 7, rtol=1e-5)


def test_ngrams_of_a_series_are_refused():
    with pytest.raises(InputError, match="ngrams must be 0, or tokens of texts"):
        of_series(ngrams=2)
    with pytest.raises(InputError, match="ngrams must be 0, or tokens of texts"):
        kexp.models.transformer_encoder((5, 3), 2, ngrams=2)


def test_a_network_that_scales_each_window_answers_in_its_units():
    model = kexp.models.rnn((6, 2), 3, units=(4,), skip=3, window_scaling=True)
    series = RANDOM.normal(size=(5, 6, 2)).astype("float32")
    moved = series * np.float32([200.0, 3.0]) + np.float32([1000.0, -5.0])
    np.testing.assert_allclose(model(moved), model(series) * 200.0 + 1000.0, rtol=1e-3)
    level = np.full((1, 6, 2), 7.0, np.float32)
    np.testing.assert_allclose(model(level), 7.0, atol=0.01)  # a constant series has no deviation
    with pytest.raises(InputError, match="window_scaling must be False with a vocabulary"):
        of_texts(window_scaling=True)

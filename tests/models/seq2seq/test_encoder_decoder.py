"""An encoder and decoder learn with all weights; beam search finds the most probable answer."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

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
START, END = 1, 2
SOURCE = RANDOM.integers(1, 9, (6, 5), dtype="int32")
SOURCE[1, 3:] = SOURCE[4, 1:] = 0
PREVIOUS = np.concatenate([np.full((6, 1), START), RANDOM.integers(3, 5, (6, 3))], axis=1).astype("int32")
BOTH = np.concatenate([SOURCE, PREVIOUS], axis=1)

KINDS = {
    "lstm": {"cell": "lstm"},
    "gru": {"cell": "gru"},
    "one way": {"cell": "lstm", "bidirectional": False},
    "no attention": {"cell": "gru", "attention": False},
}
GRU = pytest.param("gru", marks=pytest.mark.slow)  # has one state where an LSTM has two
ONE_WAY = pytest.param("one way", marks=pytest.mark.slow)


def seq2seq(**options):
    return kexp.models.seq2seq(9, 5, units=6, embedding=4, **options)


def last_step(**options):
    """Return a model of one input, the source and behind it the tokens so far, for the common checks."""
    both = keras.Input((9,), dtype="int32")
    return keras.Model(both, seq2seq(**options)([both[:, :5], both[:, 5:]])[:, -1])


def random_model(seed=0, **options):
    """Return a model of large weights, whose answers differ from sample to sample."""
    model, random = seq2seq(**options), np.random.default_rng(seed)
    model.set_weights([random.normal(0, 1.5, weight.shape) for weight in model.get_weights()])
    bias = model.get_layer("logits").bias
    bias.assign(np.where(np.arange(5) == END, -2.0, 0.0))  # so that not all answers end at once
    return model


def test_models_have_the_parameters_of_a_hand_count():
    embeddings, logits = 20 * 8 + 15 * 8, 33 * 15
    encoder = 2 * 4 * (8 + 16 + 1) * 16
    decoder, attention = 4 * (8 + 32 + 1) * 32, 32 * 32 + 64 * 32
    model = kexp.models.seq2seq(20, 15, units=32, embedding=8)
    assert model.count_params() == embeddings + encoder + decoder + attention + logits
    plain = kexp.models.seq2seq(20, 15, units=32, embedding=8, attention=False, bidirectional=False)
    assert plain.count_params() == embeddings + 2 * decoder + logits


@pytest.mark.parametrize("name", ["lstm", "no attention", GRU, ONE_WAY])
def test_every_weight_learns_and_saving_keeps_the_answers(name, tmp_path):
    options = KINDS[name]
    assert seq2seq(**options)([SOURCE, PREVIOUS]).shape == (6, 4, 5)
    keras.utils.set_random_seed(0)
    model = last_step(**options)
    assert_one_step_changes_every_weight(model, BOTH)
    assert_saving_keeps_the_answers(model, BOTH, tmp_path)


@pytest.mark.parametrize("name", ["lstm", "no attention", GRU])
def test_more_padding_changes_nothing(name):
    model = random_model(**KINDS[name])
    source = np.concatenate([SOURCE, np.zeros((1, 5), "int32")])  # one of padding alone
    previous = np.concatenate([PREVIOUS, PREVIOUS[:1]])
    longer = np.pad(source, ((0, 0), (0, 3))), np.pad(previous, ((0, 0), (0, 2)))
    for training in (False, True):
        answers = model([source, previous], training=training)
        assert np.isfinite(answers).all()
        np.testing.assert_allclose(model(longer, training=training)[:, :4], answers, atol=1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_the_decoder_sees_the_source_and_what_is_past_alone(name):
    model = random_model(**KINDS[name])
    before = np.asarray(model([SOURCE, PREVIOUS]))
    later = PREVIOUS.copy()
    later[:, 2] = 7 - later[:, 2]
    moved = np.abs(np.subtract(model([SOURCE, later]), before)).max(axis=(0, 2))
    np.testing.assert_array_equal(moved > 1e-6, [False, False, True, True])
    other = SOURCE.copy()
    other[:, 0] = other[:, 0] % 8 + 1
    assert (np.abs(np.subtract(model([other, PREVIOUS]), before)).max(axis=2) > 1e-4).all()


@pytest.mark.parametrize("name", [GRU])
def test_the_gradient_compiles_whole_under_xla(name):
    assert_the_gradient_compiles_under_xla(last_step(**KINDS[name]), BOTH)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["lstm", GRU])
def test_mixed_precision_gives_nearly_the_same_logits_in_float32(name, policy):
    keras.utils.set_random_seed(0)
    assert_mixed_precision_is_close(lambda: last_step(**KINDS[name]), BOTH, policy, computes="seq2seq")


def by_brute_force(model, steps):
    """Return the most probable of all answers for each sample, and its log probability."""
    bodies = [body for length in range(steps + 1) for body in itertools.product((1, 3, 4), repeat=length)]
    answers = [body if len(body) == steps else (*body, END) for body in bodies]
    padded = np.array([(*answer, *[0] * (steps - len(answer))) for answer in answers], "int32")
    previous = np.concatenate([np.full((len(padded), 1), START), padded[:, :-1]], axis=1)
    logits = model([np.repeat(SOURCE, len(padded), axis=0), np.tile(previous, (6, 1))])
    gained = np.reshape(tf.nn.log_softmax(logits), (6, len(padded), steps, 5))
    taken = np.take_along_axis(gained, padded[None, ..., None], axis=-1)[..., 0]  # (6, answers, steps)
    scores = np.where(padded > 0, taken, 0).sum(axis=2)
    return padded[np.argmax(scores, axis=1)], scores


@pytest.mark.parametrize("name", ["lstm", "no attention", GRU])
def test_a_beam_of_all_beginnings_finds_the_most_probable_answer(name):
    model = random_model(**KINDS[name])
    expected, scores = by_brute_force(model, steps=4)
    gaps = np.diff(np.sort(scores, axis=1)[:, -2:])
    assert gaps.min() > 1e-4
    found = kexp.models.beam_search(model, SOURCE, start=START, end=END, steps=4, beam=50)
    np.testing.assert_array_equal(found, expected)
    scored = kexp.models.scored_beam_search(model, SOURCE, start=START, end=END, steps=4, beam=50)
    np.testing.assert_array_equal(scored[0], expected)
    np.testing.assert_allclose(scored[1], scores.max(axis=1), atol=1e-5)


def test_a_greedy_search_takes_the_most_probable_token_and_misses_better_answers():
    model = random_model()
    greedy = np.asarray(kexp.models.beam_search(model, SOURCE, start=START, end=END, steps=3))
    tokens = np.full((6, 1), START, "int32")
    for _ in range(3):
        logits = np.array(model([SOURCE, tokens]))[:, -1]
        logits[:, 0] = -np.inf
        ended = ((tokens == END) | (tokens == 0)).any(axis=1)
        tokens = np.concatenate([tokens, np.where(ended, 0, logits.argmax(axis=1))[:, None]], axis=1)
    np.testing.assert_array_equal(greedy, tokens[:, 1:])
    assert (greedy != by_brute_force(model, steps=3)[0]).any()


def test_an_answer_does_not_depend_on_padding_nor_on_the_other_samples():
    model = random_model()
    options = {"start": START, "end": END, "steps": 6, "beam": 3}
    found = np.asarray(kexp.models.beam_search(model, SOURCE, **options))
    longer = np.pad(SOURCE, ((0, 0), (0, 2)))
    np.testing.assert_array_equal(kexp.models.beam_search(model, longer, **options), found)
    for number in range(6):
        alone = kexp.models.beam_search(model, SOURCE[number : number + 1], **options)
        np.testing.assert_array_equal(alone[0], found[number])


def test_weights_that_change_are_seen_by_the_search_compiled_before():
    model = random_model()
    before = np.asarray(kexp.models.beam_search(model, SOURCE, start=START, end=END, steps=4, beam=2))
    model.set_weights([-weight for weight in model.get_weights()])
    after = np.asarray(kexp.models.beam_search(model, SOURCE, start=START, end=END, steps=4, beam=2))
    assert (before != after).any()


@pytest.mark.slow
def test_the_search_is_served_by_a_saved_model_of_a_loaded_model(tmp_path):
    model = random_model()
    options = {"start": START, "end": END, "steps": 4, "beam": 3}
    expected = kexp.models.beam_search(model, SOURCE, **options)
    model.save(tmp_path / "model.keras")
    archive = keras.export.ExportArchive()
    loaded = keras.models.load_model(tmp_path / "model.keras")
    archive.track(loaded)
    archive.add_endpoint(
        "serve",
        lambda source: kexp.models.beam_search(loaded, source, **options),
        [tf.TensorSpec([None, None], tf.int32)],
    )
    archive.write_out(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    for count in (6, 2):
        np.testing.assert_array_equal(served.serve(SOURCE[:count]), expected[:count])


@pytest.mark.slow
def test_the_search_compiles_whole_under_xla():
    model = random_model()
    options = {"start": START, "end": END, "steps": 4, "beam": 3}
    compiled = tf.function(lambda source: kexp.models.beam_search(model, source, **options), jit_compile=True)
    np.testing.assert_array_equal(
        compiled(tf.constant(SOURCE)), kexp.models.beam_search(model, SOURCE, **options)
    )


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="units must be even for an encoder of both directions; received 7"):
        kexp.models.seq2seq(9, 5, units=7)
    with pytest.raises(InputError, match=r"end must be a token from 1 to 4; received 5"):
        kexp.models.beam_search(seq2seq(), SOURCE, start=START, end=5, steps=3)
    with pytest.raises(InputError, match=r"beam must be a whole number, 1 or more; received 0"):
        kexp.models.beam_search(seq2seq(), SOURCE, start=START, end=END, steps=3, beam=0)
    with pytest.raises(InputError, match=r"model must be one that kexp.models.seq2seq built; received 'mlp'"):
        kexp.models.beam_search(kexp.models.mlp((3,), 2), SOURCE, start=START, end=END, steps=3)

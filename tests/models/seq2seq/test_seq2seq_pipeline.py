"""A model from texts to texts answers what its search finds, wherever and however it is called."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
from kexp.core.keras_private import all_layers
from kexp.models.preprocessing.tokens import tokenizer, tokens_of
from kexp.models.seq2seq.seq2seq_pipeline import transcriber

WORDS = np.array(["cat", "zoë", "a", "", "tacocat", "unknown"], object)
SOURCE = tokenizer(WORDS[:4], split="character", steps=6, reverse=True)
TARGET = tokenizer(["K AE T", "Z OW IY", "東 AE"], split="space", ends=True, steps=7)


def random_model(seed=0):
    """Return a model of large weights, whose answers differ from sample to sample."""
    sizes = tokens_of(SOURCE).size, tokens_of(TARGET).size
    model, random = kexp.models.seq2seq(*sizes, units=6, embedding=4), np.random.default_rng(seed)
    model.set_weights([random.normal(0, 1.5, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def answers():
    """Return a model that no test changes, so that its search is compiled once."""
    return transcriber(random_model(), SOURCE, TARGET, beam=3)


@pytest.fixture(scope="module")
def expected(answers):
    return told(answers(WORDS))


def told(answers):
    texts = [text.decode() for text in np.asarray(answers["text"])]
    return texts, np.asarray(answers["log_probability"])


def assert_same(answers, expected):
    assert answers[0] == expected[0]
    np.testing.assert_allclose(answers[1], expected[1], atol=1e-5)


def test_the_log_probability_is_that_of_the_tokens_of_the_text(answers, expected):
    texts, log_probability = expected
    model = answers.get_layer("answers").model
    assert len(set(texts)) > 1
    source = np.asarray(SOURCE(WORDS))
    found = np.asarray(kexp.models.beam_search(model, source, start=2, end=3, steps=6, beam=3))
    previous = np.concatenate([np.full((len(WORDS), 1), 2), found[:, :-1]], axis=1)
    gained = np.asarray(tf.nn.log_softmax(model([source, previous])))
    taken = np.take_along_axis(gained, found[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(log_probability, np.where(found > 0, taken, 0).sum(axis=1), atol=1e-5)
    assert texts == [text.decode() for text in tokens_of(TARGET).strings(found).numpy()]


def test_an_answer_does_not_depend_on_the_other_samples(answers, expected):
    texts, log_probability = expected
    for number in range(len(WORDS)):
        one = slice(number, number + 1)
        assert_same(told(answers(WORDS[one])), (texts[one], log_probability[one]))
    assert told(answers(WORDS[:0]))[0] == []


def test_a_graph_answers_the_same(answers, expected):
    graph = tf.function(answers, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    assert_same(told(graph(tf.constant(WORDS, tf.string))), expected)


@pytest.mark.slow
def test_predict_answers_the_same(answers, expected):
    assert_same(told(answers.predict(tf.constant(WORDS, tf.string), batch_size=4, verbose=0)), expected)


def test_what_the_model_learns_later_shows_in_the_answers():
    model = random_model()
    answers = transcriber(model, SOURCE, TARGET)
    before = told(answers(WORDS))[0]
    assert {id(weight) for weight in model.weights} <= {id(weight) for weight in answers.weights}
    model.set_weights(random_model(seed=1).get_weights())
    assert told(answers(WORDS))[0] != before


@pytest.mark.slow
@pytest.mark.parametrize("beam", [1, 3])
def test_a_saved_and_an_exported_model_answer_the_same(beam, answers, expected, tmp_path):
    if beam == 1:
        answers = transcriber(random_model(), SOURCE, TARGET)
        expected = told(answers(WORDS))
    answers.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert told(loaded(WORDS))[0] == expected[0]
    np.testing.assert_array_equal(told(loaded(WORDS))[1], expected[1])
    archive = keras.export.ExportArchive()
    archive.track(loaded)
    for layer in all_layers(loaded):
        if hasattr(layer, "lookup_table"):
            archive.track(layer)
    archive.add_endpoint("serve", loaded, [tf.TensorSpec([None], tf.string)])
    archive.write_out(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    for count in (len(WORDS), 2, 1):
        part = expected[0][:count], expected[1][:count]
        assert_same(told(served.serve(tf.constant(WORDS[:count], tf.string))), part)


def test_models_that_do_not_belong_together_are_refused():
    model = random_model()
    with pytest.raises(InputError, match="source must have the 10 tokens that the model was built for"):
        transcriber(model, TARGET, TARGET)
    without = tokenizer(["K AE T", "Z OW IY", "東 AE"], split="space")
    with pytest.raises(InputError, match="build it with ends=True"):
        transcriber(model, SOURCE, without)
    with pytest.raises(InputError, match=r"model must be one that kexp\.models\.seq2seq built"):
        transcriber(kexp.models.mlp((3,), 2), SOURCE, TARGET)
    with pytest.raises(InputError, match="beam must be a whole number, 1 or more; received 0"):
        transcriber(model, SOURCE, TARGET, beam=0)

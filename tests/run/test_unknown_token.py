"""Words and characters that training never had: they have the mean vector of the others, and are counted."""

import keras
import numpy as np
import pytest

import kexp
from kexp.core.keras_private import all_layers
from kexp.models.layers.embeddings import TokenEmbedding
from kexp.models.preprocessing.token_counts import unknown_tokens
from kexp.run import training_run, unknown_token

RNG = np.random.default_rng(0)
GOOD, BAD = ("fine good happy nice warm", "bad cold dire poor sad")
TEXTS = np.array([" ".join(RNG.choice([GOOD, BAD][row % 2].split(), 4)) for row in range(160)], object)
TEXTS[::10] = [f"{text} once{row}" for row, text in enumerate(TEXTS[::10])]  # some in each part
LABELS = np.array(["good", "bad"] * 80)
KNOWN = np.array(["good warm", "sad", "cold bad dire nice"], object)
NEW = np.array(["unheard of", "never", "good unheard"], object)


def trained(folder, layer=keras.layers.Embedding, vocabulary=100):
    """Return a run of a model that takes the mean of its tokens' vectors."""
    keras.utils.set_random_seed(0)
    data = kexp.data.load((TEXTS, LABELS), validation=0.2)
    preprocessing = kexp.models.text_preprocessing(data.train.inputs, split="word", vocabulary=vocabulary)
    tokens = keras.Input((None,), dtype="int32")
    vectors = layer(kexp.models.vocabulary_size(preprocessing), 8)(tokens)
    model = keras.Model(tokens, keras.layers.Dense(2)(keras.ops.mean(vectors, axis=1)))
    return kexp.fit(model, data, preprocessing=preprocessing, epochs=2, quiet=True, run_dir=str(folder))


@pytest.fixture(scope="module", params=[keras.layers.Embedding, TokenEmbedding])
def pair(request, tmp_path_factory):
    """The same run as it is, and as it would be if the vector of new words stayed as random as it began."""
    folder = tmp_path_factory.mktemp("runs")
    settled = trained(folder / "settled", request.param)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training_run, "settle_unknown_token", lambda setup: False)
        return settled, trained(folder / "random", request.param)


def table_of(model):
    kinds = keras.layers.Embedding | TokenEmbedding
    layer = next(one for one in all_layers(model) if isinstance(one, kinds))
    return keras.ops.convert_to_numpy(layer.trainable_weights[0])


def tokens_of(model, texts):
    kind = keras.layers.TextVectorization
    return np.asarray(next(one for one in all_layers(model) if isinstance(one, kind))(texts))


def test_new_words_have_the_mean_vector_and_known_ones_are_answered_as_before(pair):
    settled, random = pair
    vectors, before = table_of(settled.model), table_of(random.model)
    np.testing.assert_array_equal(np.delete(vectors, 1, axis=0), np.delete(before, 1, axis=0))
    train = kexp.data.load((TEXTS, LABELS), validation=0.2).train
    counts = np.bincount(tokens_of(settled.model, train.inputs).ravel(), minlength=len(vectors))
    assert counts[1] == 0
    np.testing.assert_allclose(vectors[1], counts[2:] @ before[2:] / counts[2:].sum(), rtol=1e-5)
    answers = [run.predict(KNOWN).probabilities for run in (settled, random)]
    np.testing.assert_array_equal(*answers)
    answers = [run.predictions_of(NEW).probabilities for run in (settled, random)]
    assert not np.allclose(*answers)
    loaded = kexp.load(settled.run_dir).predictions_of(NEW).probabilities
    np.testing.assert_allclose(loaded, answers[0], rtol=1e-6)


def test_figures_are_those_of_the_model_that_is_recorded(pair):
    run = pair[0]
    data = kexp.data.load((TEXTS, LABELS), validation=0.2)
    for prefix, part in (("val", data.validation), ("test", data.test)):
        assert (tokens_of(run.model, part.inputs) == 1).any()
        right = run.predictions_of(part.inputs).labels == np.array(data.spec.class_names)[part.targets]
        assert run.metrics[f"{prefix}_accuracy"] == pytest.approx(right.mean(), abs=1e-6)
        chances = run.predictions_of(part.inputs).probabilities[np.arange(len(part)), part.targets]
        assert run.metrics[f"{prefix}_loss"] == pytest.approx(-np.log(chances).mean(), rel=1e-4)


def test_a_vector_that_rare_words_have_trained_is_kept(tmp_path):
    run = trained(tmp_path / "run", vocabulary=6)
    vectors = table_of(run.model)
    train = kexp.data.load((TEXTS, LABELS), validation=0.2).train
    counts = np.bincount(tokens_of(run.model, train.inputs).ravel(), minlength=len(vectors))
    assert counts[1] > 0
    assert not np.allclose(vectors[1], counts[2:] @ vectors[2:] / counts[2:].sum(), rtol=0.1)


def test_a_prediction_counts_the_words_that_are_new(pair):
    with pytest.warns(UserWarning, match=r"4 of 5 words are not in the vocabulary .*, such as 'unheard'\."):
        pair[0].predict(NEW)
    pair[0].predict(KNOWN)  # a warning would be an error here


@pytest.mark.parametrize(
    "built",
    [
        lambda: kexp.models.rnn((None,), 2, units=(4,), vocabulary=9, embedding=4),
        lambda: kexp.models.transformer_encoder((None,), 2, width=8, depth=1, heads=2, vocabulary=9),
        lambda: kexp.models.seq2seq(9, 7, units=4, embedding=4),
    ],
    ids=["rnn", "transformer_encoder", "seq2seq"],
)
def test_the_vectors_of_source_tokens_are_found_in_the_models_of_texts(built):
    (table,) = unknown_token.token_tables(built())
    assert table.shape[0] == 9


def test_characters_and_subwords_are_counted_too():
    letters = kexp.models.text_preprocessing(["abba"], split="character")
    assert unknown_tokens(letters, np.array(["abc"], object)) == (
        "1 of 3 characters is not in the vocabulary of training, such as 'c'.",
    )
    source = kexp.models.tokenizer(["so be it", "be so"], split="subword", vocabulary=12, ends=True)
    assert unknown_tokens(source, np.array(["so"], object)) == ()
    (note,) = unknown_tokens(source, np.array(["so", "sx"], object))
    assert note.endswith("subwords is not in the vocabulary of training, such as 'x'.")

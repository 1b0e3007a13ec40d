"""A language model scores texts as a sum by hand does, continues prompts of any length, and is served so."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
from kexp.core.keras_private import all_layers
from kexp.models import LanguageModel, language_tokens, token_counts, tokens_of

CONTEXT = 12
TEXTS = ["so be it", "to be or not to be"]
MIXED = np.array(["so", "", "to be or not", "sést", "be"], object)
LONG = "to be or not to be so be it"


def language_model(split="character", **drawing):
    keras.utils.set_random_seed(0)
    tokens = language_tokens(TEXTS, split=split, vocabulary=14, context=CONTEXT)
    size = tokens_of(tokens).size
    decoder = kexp.models.transformer_decoder(CONTEXT, size, width=8, depth=1, heads=2, expansion=1)
    return LanguageModel(decoder, tokens, **{"sample_tokens": 4} | drawing)


@pytest.fixture(scope="module")
def model():
    return language_model()


def scores(model, texts):
    return np.asarray(model(np.array(texts, object))["log_probability"])


def served(model, texts, seed=0):
    """Return texts and margins of the endpoint, compiled as an export does."""
    function = model.signatures()["generate"].function
    answers = tf.function(function, autograph=False)(
        tf.constant(texts, tf.string), tf.constant(seed, tf.int64)
    )
    return [text.decode() for text in answers["text"].numpy()], answers["margin"].numpy()


def test_tokens_begin_with_a_start_and_have_no_end():
    tokens = language_tokens(TEXTS, split="subword", vocabulary=14, context=4)
    layer = tokens_of(tokens)
    assert tokens.output_shape == (None, 5)
    numbers = np.asarray(tokens(np.array(["so", "", LONG], object)))
    assert (numbers[:, 0] == layer.START).all()
    assert not (numbers == layer.END).any()
    np.testing.assert_array_equal((numbers > 0).sum(axis=1)[1:], [1, 5])
    assert token_counts(tokens)(["", LONG]).tolist() == [0, 4]


@pytest.mark.parametrize("split", ["character", "subword"])
def test_a_score_is_the_sum_over_the_tokens_of_a_text(split):
    model = language_model(split)
    numbers = np.asarray(model.tokens(MIXED))
    shares = keras.ops.softmax(model.decoder(numbers[:, :-1]))
    expected = [
        sum(np.log(shares[row, step, token]) for step, token in enumerate(numbers[row, 1:]) if token)
        for row in range(len(MIXED))
    ]
    found = scores(model, MIXED)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found[1] == 0
    for row, text in enumerate(MIXED):
        np.testing.assert_allclose(scores(model, [text]), found[row : row + 1], rtol=1e-5)


def test_a_text_longer_than_the_context_has_no_score(model):
    found = scores(model, ["t" * CONTEXT, "t" * (CONTEXT + 1), "", "é" * CONTEXT])
    np.testing.assert_array_equal(np.isnan(found), [False, True, False, False])


def greedy(model, prompt, tokens):
    """Return a prompt with the most likely characters after it, one by one, of what the context holds."""
    layer = tokens_of(model.tokens)
    begun = np.asarray(model.tokens(np.array([prompt[-(CONTEXT - tokens - 1) :]], object)))[0]
    row = [number for number in begun if number]
    for _ in range(tokens):
        padded = np.array([row + [0] * (CONTEXT - len(row))])
        row.append(4 + int(np.argmax(model.decoder(padded)[0, len(row) - 1, 4:])))
    return prompt + layer.strings([row[-tokens:]]).numpy()[0].decode()


def test_prompts_of_any_length_are_continued_as_by_hand_and_as_the_endpoint_does(model):
    prompts = ["so", "be", LONG]
    texts = model.generate(prompts, tokens=4, temperature=0)
    assert texts == [greedy(model, prompt, 4) for prompt in prompts]
    assert served(language_model(temperature=0), prompts)[0] == texts


@pytest.mark.slow
@pytest.mark.parametrize("split", ["character", "subword"])
def test_what_is_served_depends_on_prompt_and_seed_alone(split):
    model = language_model(split, temperature=1.5, top_k=9, top_p=0.9)
    prompts = ["so", "", "to be", LONG, "so"]
    texts, margins = served(model, prompts, seed=3)
    assert all(text.startswith(prompt) for text, prompt in zip(texts, prompts, strict=True))
    assert texts[0] == texts[4]
    assert (margins > 1e-4).all()
    for row, prompt in enumerate(prompts):
        alone, margin = served(model, [prompt], seed=3)
        assert alone == [texts[row]]
        np.testing.assert_allclose(margin, margins[row : row + 1], atol=1e-4)
    assert served(model, prompts, seed=4)[0] != texts


def test_a_margin_is_the_lead_of_the_token_taken():
    model = language_model(temperature=0, sample_tokens=1)
    logits = np.sort(np.asarray(model.decoder(model.tokens(MIXED)[:, :-1]))[..., 4:])
    leads = [logits[row, len(text)][-1] - logits[row, len(text)][-2] for row, text in enumerate(MIXED[:2])]
    np.testing.assert_allclose(served(model, MIXED[:2])[1], leads, rtol=1e-4)
    assert (served(language_model(top_k=1), MIXED)[1] > 1e6).all()


def test_no_token_that_is_no_text_is_drawn():
    model = language_model(temperature=2.0, sample_tokens=8)
    table = model.decoder.get_layer("tokens").table
    table.assign(np.where(np.arange(table.shape[0])[:, None] < 4, 30.0, 1.0) * table)
    drawn = model.generate(["so"] * 8, tokens=8, temperature=2.0) + served(model, ["so"])[0]
    assert all(len(text) == 10 and "\N{REPLACEMENT CHARACTER}" not in text for text in drawn)


@pytest.mark.slow
def test_a_saved_model_answers_and_continues_alike(tmp_path):
    model = language_model("subword", temperature=0.8)
    expected, (texts, margins) = scores(model, MIXED), served(model, MIXED, seed=5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(scores(loaded, MIXED), expected)
    assert served(loaded, MIXED, seed=5)[0] == texts
    endpoint = loaded.signatures()["generate"]
    archive = keras.export.ExportArchive()
    archive.track(loaded)
    for layer in all_layers(loaded):
        if hasattr(layer, "lookup_table") and layer.built:
            archive.track(layer)
    archive.add_endpoint("serve", lambda texts: loaded(texts), [tf.TensorSpec([None], tf.string)])
    archive.add_endpoint("generate", endpoint.function, list(endpoint.inputs.values()))
    archive.write_out(tmp_path / "served", verbose=False)
    export = tf.saved_model.load(str(tmp_path / "served"))
    for count in (5, 2):
        part = tf.constant(MIXED[:count], tf.string)
        found = export.serve(part)["log_probability"]
        np.testing.assert_allclose(found, expected[:count], rtol=1e-5)
        answers = export.generate(part, tf.constant(5, tf.int64))
        assert [text.decode() for text in answers["text"].numpy()] == texts[:count]
        np.testing.assert_allclose(answers["margin"], margins[:count], atol=1e-4)


def test_the_examples_of_the_endpoint_are_what_it_takes(model):
    endpoint = model.signatures()["generate"]
    answers = tf.function(endpoint.function, autograph=False)(
        *(tf.constant(endpoint.examples[name], spec.dtype) for name, spec in endpoint.inputs.items())
    )
    assert {name: answer.shape[0] for name, answer in answers.items()} == {"text": 4, "margin": 4}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_tokens": CONTEXT}, "sample_tokens must be a whole number, from 1 to 11; received 12"),
        ({"temperature": -1.0}, "temperature must be a number, 0 or more"),
        ({"top_p": 1.5}, "top_p must be above 0, to 1, or None"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        language_model(**options)


def test_a_decoder_for_other_tokens_is_refused(model):
    decoder = kexp.models.transformer_decoder(9, 40, width=8, depth=1, heads=2)
    with pytest.raises(
        InputError, match="tokens must be 10 numbers below 40, for the decoder; received 13 below"
    ):
        LanguageModel(decoder, model.tokens)
    decoder = kexp.models.transformer_decoder(CONTEXT, 6, width=8, depth=1, heads=2)
    with pytest.raises(
        InputError, match="tokens must be 13 numbers below 6, for the decoder; received 13 below"
    ):
        LanguageModel(decoder, model.tokens)
    with pytest.raises(InputError, match="tokens must be a whole number, from 1 to 11; received 12"):
        model.generate(["so"], tokens=12)

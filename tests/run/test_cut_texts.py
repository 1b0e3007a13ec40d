"""Texts far longer than the others are cut and named; they do not set the length of all."""

import json

import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp import recipes

WORDS = ["the", "a", "my", "food", "was", "today", "here", "place", "very", "time"]
LONG = "word " * 30_000
SMALL = {"epochs": 1, "batch_size": 64, "embedding": 16, "units": (16,)}


def reviews(part, long=LONG):
    """Return texts of some 30 characters with labels, and in one part a long one at place 9."""
    parts = {}
    for name, count in (("train", 300), ("validation", 40), ("test", 40)):
        rng = np.random.default_rng(count + len(name))
        labels = rng.integers(0, 2, count)
        texts = [" ".join([*rng.choice(WORDS, 6), "good" if label else "bad"]) for label in labels]
        if name == part:
            texts[9] = long
        parts |= {f"x_{name}": np.array(texts, object), f"y_{name}": labels}
    return kexp.data.load(parts)


def kept(data):
    return max(len(text) for text in data.train.inputs if text != LONG)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on training texts one of which has 150,000 characters."""
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    return recipes.lstm_text(data=reviews("train"), run_dir=str(run_dir), quiet=True, **SMALL)


def test_one_text_of_150_000_characters_is_named_with_its_place(trained):
    (note,) = json.loads((trained.run_dir / "env.json").read_text())["notes"]
    assert note == (
        f"of each text the first {kept(reviews('train'))} characters are read, which cuts 1 of 300 training "
        "samples; the longest has 150,000, training sample 9 ('word word word word word' …)."
    )


def test_the_exported_model_cuts_where_training_did(trained, tmp_path):
    trained.export(tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served" / "1")).signatures["serving_default"]
    end = kept(reviews("train"))
    whole, cut = (served(inputs=tf.constant([text]))["probabilities"] for text in (LONG, LONG[:end]))
    np.testing.assert_array_equal(whole, cut)
    shorter = served(inputs=tf.constant([LONG[: end - 1]]))["probabilities"]
    assert not np.array_equal(whole, shorter)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_text_cut_in_another_part_is_named_too(part, capsys):
    recipes.lstm_text(data=reviews(part), run_dir=None, **SMALL)
    assert (
        f"which cuts 1 of 40 {part} samples; the longest has 150,000, {part} sample 9"
        in capsys.readouterr().out
    )


def test_texts_of_words_that_are_cut_are_named():
    finding = kexp.check(recipes.lstm_text, data=reviews("train"), split="word", **SMALL)["note"]
    assert finding.message.startswith("of each text the first 7 words are read, which cuts 1 of 300 training")
    assert "the longest has 30,000" in finding.message


def test_learned_positions_are_as_many_as_ordinary_texts_need(tmp_path):
    data = reviews("train")
    result = recipes.transformer_text(
        data=data, epochs=1, width=32, depth=1, heads=2, run_dir=str(tmp_path / "run"), quiet=True
    )
    assert f"the first {kept(data)} characters" in result.report().read_text()


@pytest.mark.parametrize("long", ["x_train", "y_train"])
def test_a_far_longer_half_of_a_pair_is_cut_and_named(long, tmp_path, capsys):
    parts = {"x_train": ["abc", "de"] * 100, "y_train": ["c b a", "e d"] * 100}
    parts[long][3] = "de" * 20_000 if long == "x_train" else "e d " * 20_000
    data = kexp.data.load({name: np.array(texts, object) for name, texts in parts.items()}, task="text")
    recipes.seq2seq(data=data, epochs=1, embedding=16, units=32, run_dir=str(tmp_path / "run"))
    noun = "text the first 3 characters" if long == "x_train" else "target text the first 3 words"
    assert f"of each {noun} are read, which cuts 1 of" in capsys.readouterr().out


@pytest.mark.parametrize("long", [WORDS[0] * 80, "a" * 256])
def test_texts_of_ordinary_lengths_are_read_to_their_end(long):
    data = reviews("train", long)
    preprocessing = kexp.models.text_preprocessing(data.train.inputs, split="character")
    assert preprocessing.output_shape[1] == len(long)


@pytest.mark.parametrize("name", ["first_names", "pronunciations"])
def test_no_text_of_the_embedded_data_is_cut_in_training(name):
    texts = kexp.data.load(name).train.inputs
    for build in (kexp.models.text_preprocessing, kexp.models.tokenizer):
        assert build(texts, split="character").output_shape[1] == max(map(len, texts))

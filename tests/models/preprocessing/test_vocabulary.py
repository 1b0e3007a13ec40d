"""Texts become the numbers of their tokens, which are those of the training texts."""

from collections import Counter

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError


def numbers(model, texts):
    return np.asarray(model(tf.constant(texts))).tolist()


TEXTS = np.array(["The cat, the hat.", "", "Don't: a CAT!", "éÉ 日本 z"], object)


def test_words_are_numbered_by_frequency_then_alphabetically_and_texts_padded_and_cut():
    model = kexp.models.text_preprocessing(TEXTS, split="word", steps=3)
    assert (model.output_shape, model.output.dtype) == ((None, 3), "int32")
    # cat 2, the 3, a 4, dont 5, hat 6, then z, éÉ and 日本 in the order of their letters
    assert numbers(model, ["the a hat cat", "dog z", "", "  Éé éÉ 日本 "]) == [
        [3, 4, 6],
        [1, 7, 0],
        [0] * 3,
        [1, 8, 9],
    ]
    assert kexp.models.vocabulary_size(model) == 10


def test_characters_are_those_of_unicode_with_their_case():
    model = kexp.models.text_preprocessing(["Äa日", "日\n"], split="character")
    assert model.output_shape == (None, 3)
    assert numbers(model, ["日\naÄ", "AÖ"]) == [[2, 3, 4], [1, 1, 0]]
    assert numbers(model, ["a" * 1_000_000, ""]) == [[4, 4, 4], [0, 0, 0]]


def test_the_rarest_tokens_of_a_small_vocabulary_are_unknown():
    model = kexp.models.text_preprocessing(["b b a a c"], split="word", vocabulary=2)
    assert numbers(model, ["a b c"]) == [[2, 3, 1, 0, 0]]
    assert kexp.models.vocabulary_size(model) == 4


def test_default_steps_hold_95_of_100_texts_of_words_and_every_text_of_characters():
    texts = ["one"] * 95 + ["one two three four five six"] * 5
    assert kexp.models.text_preprocessing(texts, split="word").output_shape == (None, 2)
    assert kexp.models.text_preprocessing(texts, split="character").output_shape == (None, 27)


def test_many_batches_of_texts_are_counted_like_one():
    names = kexp.data.load("first_names").train.inputs
    model = kexp.models.text_preprocessing(names, split="character", vocabulary=9)
    counts = Counter("".join(names))
    frequent = sorted(counts, key=lambda letter: (-counts[letter], letter))
    assert numbers(model, ["".join(frequent[:11])])[0][:11] == [*range(2, 11), 1, 1]
    assert model.output_shape[1] == max(map(len, names))


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (["a"], {"split": "letter"}, "split='letter': expected 'character', 'word' or 'subword'"),
        (["a"], {"split": "word", "vocabulary": 0}, "vocabulary=0: expected a whole number, 1 or more"),
        (["a"], {"split": "word", "steps": 2.5}, r"steps=2\.5"),
        (["", " ..."], {"split": "word"}, "received only empty ones"),
    ],
)
def test_text_preprocessing_refuses_what_it_cannot_learn_from(texts, options, message):
    with pytest.raises(InputError, match=message):
        kexp.models.text_preprocessing(texts, **options)


@pytest.mark.parametrize("split", ["word", "character"])
def test_the_vocabulary_is_within_the_saved_model_line_breaks_and_all(split, tmp_path):
    texts = np.array(["a\nb\r c\x85d\u2028e\t日", "[UNK] a"], object)
    model = kexp.models.text_preprocessing(texts, split=split, steps=12)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert numbers(loaded, texts) == numbers(model, texts)
    assert 1 not in np.asarray(numbers(loaded, texts))
    assert kexp.models.vocabulary_size(loaded) == kexp.models.vocabulary_size(model)

"""Subwords are learned from frequent neighbours, and the graph cuts texts as a plain loop does."""

import time
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
from kexp.data import split_words, text_parts
from kexp.models.preprocessing.subwords import learn_subwords, split_subwords

ODD = [
    "",
    " ",
    "  ",
    "\n",
    " \n x",
    "x ",
    "é中 a\N{NO-BREAK SPACE}b",
    "",
    "a  b",
    "\n  b",
    "the\r\nend\t.",
    "",
]


@pytest.fixture(scope="module")
def book():
    return text_parts("moby_dick")["train"][:60_000]


def by_hand(text, pieces):
    """Return the longest pieces from the left of each word on."""
    found = []
    for word in split_words(text):
        while word:
            sizes = (size for size in range(len(word), 1, -1) if word[:size] in pieces)
            size = next(sizes, 1)
            found.append(word[:size])
            word = word[size:]
    return found


def lookup(pieces):
    return keras.layers.StringLookup(vocabulary=pieces, mask_token=None)


def cut(texts, pieces):
    found = split_subwords(tf.constant(texts, tf.string), lookup(pieces), max(map(len, pieces)))
    return [[piece.decode() for piece in row] for row in found.to_list()]


def test_the_most_frequent_pairs_become_pieces_first_and_ties_are_alphabetical():
    # ab: 3, bc: 2 before the first merge; then "ab" + "c" has 2.
    assert learn_subwords(["abc", "abc", "ab"], 5) == ["a", "b", "c", "ab", "abc"]
    assert learn_subwords(["xy ab", "xy ab"], 6)[5:] == [" a"]
    assert learn_subwords(["xy xy"], 20) == [" ", "x", "y", "xy"]  # no pair that stands there once
    assert learn_subwords(["aaaa"], 3) == ["a", "aa"]  # the pair stands there thrice, and once when merged


def test_pieces_never_cross_words_and_every_character_is_one(book):
    pieces = learn_subwords([book], 400)
    assert len(pieces) == len(set(pieces)) == 400
    assert set(book) <= set(pieces)
    assert all(split_words(piece) == [piece] for piece in pieces)
    assert pieces == learn_subwords([book], 400)
    assert pieces[:300] == learn_subwords([book], 300)


def test_merges_are_those_of_counting_anew_after_each(book):
    words = [list(word) for word in split_words(book[:4000])]
    expected = sorted(set(book[:4000]))
    while len(expected) < 120:
        counts = {}
        for word in words:
            for pair in pairwise(word):
                counts[pair] = counts.get(pair, 0) + 1
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        for word in words:
            place = 0
            while place < len(word) - 1:
                if (word[place], word[place + 1]) == best:
                    word[place : place + 2] = ["".join(best)]
                place += 1
        expected += [] if "".join(best) in expected else ["".join(best)]
    assert learn_subwords([book[:4000]], 120) == expected


def test_more_characters_than_pieces_are_refused():
    with pytest.raises(InputError, match=r"vocabulary=2: expected as many pieces .* pass 3 or more"):
        learn_subwords(["abc"], 2)


def test_the_graph_cuts_as_a_plain_loop_does(book):
    pieces = learn_subwords([book], 300)
    texts = ODD + [book[first : first + 97] for first in range(0, 20_000, 97)]
    found = cut(texts, pieces)
    assert found == [by_hand(text, set(pieces)) for text in texts]
    assert ["".join(row) for row in found] == texts
    assert cut([], pieces) == []
    assert cut(["", ""], pieces) == [[], []]


def test_words_have_the_same_pieces_wherever_they_stand(book):
    pieces = learn_subwords([book], 300)
    text = book[:3000] + "\n \n  x"
    words = split_words(text)
    assert "".join(words) == text
    assert [piece for row in cut(words, pieces) for piece in row] == cut([text], pieces)[0]


def test_a_saved_model_cuts_alike(book, tmp_path):
    tokens = kexp.models.tokenizer([book], split="subword", vocabulary=200, steps=40)
    archive = keras.export.ExportArchive()
    archive.track(tokens)
    archive.track(kexp.models.tokens_of(tokens).numbers)
    archive.track(kexp.models.tokens_of(tokens).tokens)
    archive.add_endpoint("serve", tokens, [tf.TensorSpec([None], tf.string)])
    archive.write_out(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    texts = np.array([*ODD, book[:100]], object)
    np.testing.assert_array_equal(served.serve(tf.constant(texts)), tokens(texts))


@pytest.mark.slow
def test_two_thousand_pieces_of_a_book_are_learned_in_half_a_minute():
    book = "".join(text_parts("moby_dick").values())
    start_s = time.process_time()
    assert len(learn_subwords([book], 2000)) == 2000
    assert time.process_time() - start_s < 30

"""Pretrained pieces are those of the package, and a text becomes the numbers of their vectors' rows."""

import sys

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError

UNKNOWN_PIECES = 1 + 3 + 256  # U+FFFD, special ones, bytes


@pytest.fixture(scope="module")
def tokens():
    return kexp.models.pretrained_tokens("wordllama")


def test_pieces_and_vectors_are_those_of_the_package_which_is_not_imported(tokens):
    assert len(tokens.pieces) == len(set(tokens.pieces)) == 32_000 - UNKNOWN_PIECES
    assert tokens.vectors.shape == (len(tokens.pieces), 256)
    assert tokens.vectors.dtype == tokens.table.dtype == np.float32
    assert np.isfinite(tokens.table).all()
    assert not any("<0x" in piece or piece in ("<s>", "</s>", "<unk>") for piece in tokens.pieces)
    assert "wordllama" not in sys.modules
    assert repr(tokens).endswith("MIT)")


def test_a_number_of_a_text_is_the_row_of_its_piece(tokens):
    texts = np.array(["the whale", "The White Whale!", "\N{SNOWMAN}\t", ""], object)
    model = kexp.models.text_preprocessing(texts, split="subword", pieces=tokens.pieces)
    numbers = np.asarray(model(texts))
    assert kexp.models.vocabulary_size(model) == len(tokens.table)
    rows = [" the", " wh", "ale"]
    np.testing.assert_array_equal(
        tokens.table[numbers[0, :3]], tokens.vectors[[tokens.pieces.index(piece) for piece in rows]]
    )
    assert not numbers[0, 3:].any()
    assert not tokens.table[0].any()
    assert not numbers[3].any()
    assert 1 in numbers[2]  # a tab is a byte there
    assert numbers.max() < len(tokens.table)


def test_words_near_in_meaning_have_vectors_near_each_other(tokens):
    def vector(word):
        return tokens.vectors[tokens.pieces.index(f" {word}")]

    def cosine(one, other):
        one, other = vector(one), vector(other)
        return one @ other / np.linalg.norm(one) / np.linalg.norm(other)

    assert cosine("water", "sea") > cosine("water", "law") + 0.2
    assert cosine("king", "queen") > cosine("king", "milk") + 0.2


def test_steps_are_those_that_most_texts_need_and_the_model_is_saved_whole(tmp_path):
    pieces = [" a", " ab", "c", " "]
    texts = np.array(["a ab", "abc c"], object)
    model = kexp.models.text_preprocessing(texts, split="subword", pieces=pieces)
    expected = [[4, 5, 0], [5, 6, 7]]
    assert np.asarray(model(texts))[:, :3].tolist() == expected
    model.save(tmp_path / "a.keras")
    loaded = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(np.asarray(loaded(texts)), np.asarray(model(texts)))
    strings = model.get_layer("tokens").strings(model(texts)).numpy()
    assert [text.decode() for text in strings] == ["a ab", "abc c"]
    short = kexp.models.text_preprocessing(texts, split="subword", pieces=pieces, steps=2)
    assert np.asarray(short(texts)).tolist() == [row[:2] for row in expected]


def test_pieces_and_subwords_belong_together(tokens):
    for arguments, said in (
        ({"split": "subword"}, "belong together"),
        ({"split": "word", "pieces": ["a"]}, "belong together"),
        ({"split": "subword", "pieces": []}, "received none"),
        ({"split": "subword", "pieces": ["a", "a"]}, "must be different"),
    ):
        with pytest.raises(InputError, match=said):
            kexp.models.text_preprocessing(["a"], **arguments)
    with pytest.raises(InputError, match="did you mean 'wordllama'"):
        kexp.models.pretrained_tokens("wordlama")


def test_a_package_with_other_files_is_refused(monkeypatch, tmp_path):
    package = tmp_path / "wordllama"
    (package / "tokenizers").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=r"pip install 'kexp\[pretrained\]'"):
        kexp.models.pretrained_tokens()
    (package / "tokenizers" / "l2_supercat_tokenizer_config.json").write_text("{}")
    with pytest.raises(InputError, match="its checksum differs"):
        kexp.models.pretrained_tokens()

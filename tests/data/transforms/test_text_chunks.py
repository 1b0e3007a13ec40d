"""Passages are the whole text in its order, each short enough, and no part has another's characters."""

import gzip

import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.data import Split, passages, split_words, text_parts
from kexp.metrics import bits_per_character

TEXT = "It was so.\n\nAnd so  it went on, and on—\n" * 40 + "x" * 90 + " end"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def pairs(words):
    """Two characters of a word are a token."""
    return np.array([(len(word) + 1) // 2 for word in words])


def joined(data):
    parts = (data.train, data.validation, data.test)
    return "".join("".join(part.inputs) for part in parts if part is not None)


@pytest.mark.parametrize("shares", [(0.1, 0.1), (0, 0.2), (0.3, 0)])
@pytest.mark.parametrize("length", [None, pairs])
def test_passages_are_the_whole_text_in_its_order(path, shares, length):
    data = passages(path, context=16, length=length, validation=shares[0], test=shares[1])
    assert joined(data) == TEXT
    assert (data.validation is None, data.test is None) == (shares[0] == 0, shares[1] == 0)
    for part in (data.train, data.validation, data.test):
        if part is not None:
            assert part.targets is part.inputs
            assert not part.inputs.flags.writeable
            assert all(isinstance(text, str) and text for text in part.inputs)
    assert (data.name, data.spec.task, data.spec.outputs) == ("book", "text", 0)


def test_passages_of_characters_are_full_and_those_of_words_end_between_words(path):
    parts = text_parts(path)
    data = passages(path, context=16)
    assert {len(text) for text in data.train.inputs[:-1]} == {16}
    data = passages(path, context=16, length=pairs, validation=0, test=0)
    sizes = [pairs(split_words(text)).sum() for text in data.train.inputs]
    assert max(sizes) <= 16
    firsts = [split_words(text)[0] for text in data.train.inputs[1:]]
    assert all(
        pairs([first]) + size > 16 for first, size in zip(firsts, sizes, strict=False) if len(first) < 10
    )
    whole = [word for text in data.train.inputs for word in split_words(text)]
    assert [word for word in whole if "x" not in word] == [
        word for word in split_words(TEXT) if "x" not in word
    ]
    assert [len(word) for word in whole if "x" in word] == [16] * 5 + [10]
    assert "".join(parts.values()) == TEXT


def test_parts_follow_one_another_and_the_test_part_is_always_the_same(path):
    parts = text_parts(path, validation=0.1, test=0.1)
    assert list(parts) == ["train", "validation", "test"]
    assert len(parts["test"]) == round(0.1 * len(TEXT))
    assert text_parts(path, validation=0.3)["test"] == text_parts(path, validation=0)["test"] == parts["test"]
    one, other = passages(path, context=16), passages(path, context=9, validation=0.3)
    assert one.fingerprint == other.fingerprint


def test_a_compressed_file_and_line_ends_of_another_system_are_read_alike(path, tmp_path):
    packed = tmp_path / "book.txt.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()))
    assert text_parts(packed) == text_parts(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such data set or path"),
        (b"", "expected text, received nothing"),
        (b" \n", "expected text, received nothing"),
        (b"\xff\xfe\x00", "cannot be read as UTF-8 text"),
        (b"a\0b" * 9, "without NUL characters"),
        (b"abc", "3 characters are too few for validation=0.1 and test=0.1"),
    ],
)
def test_what_is_no_text_is_refused(content, message, tmp_path):
    path = tmp_path / "odd.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        passages(path, context=4)


def test_a_broken_archive_another_kind_of_file_and_odd_arguments_are_refused(path, tmp_path):
    (tmp_path / "odd.txt.gz").write_bytes(gzip.compress(TEXT.encode())[:40])
    with pytest.raises(InputError, match="cannot be read as UTF-8 text"):
        text_parts(tmp_path / "odd.txt.gz")
    (tmp_path / "table.csv").write_text("a,b\n")
    with pytest.raises(InputError, match=r"name or path of text, \.txt or \.txt\.gz"):
        text_parts(tmp_path / "table.csv")
    for options in ({"context": 0}, {"context": 4, "validation": 1.0}, {"context": 4, "test": -0.1}):
        with pytest.raises(InputError, match="expected"):
            passages(path, **options)


def test_a_model_that_knows_nothing_needs_the_bits_of_all_characters():
    texts = np.array(["abcd", "ab" * 50], object)
    answers = {"log_probability": np.array([4, 100], "float32") * np.float32(np.log(1 / 8))}
    assert bits_per_character(Split(texts, texts), answers) == pytest.approx(3.0)

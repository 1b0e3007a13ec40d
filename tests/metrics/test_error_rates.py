import numpy as np
import pytest

from kexp.core.errors import InputError
from kexp.metrics import text_error_rate, token_error_rate


def by_hand(expected, answered):
    """Return the edit distance of two sequences, by its definition."""
    rows = np.zeros((len(expected) + 1, len(answered) + 1), int)
    rows[:, 0], rows[0, :] = range(len(expected) + 1), range(len(answered) + 1)
    for i, one in enumerate(expected, start=1):
        for j, other in enumerate(answered, start=1):
            replaced = rows[i - 1, j - 1] + (one != other)
            rows[i, j] = min(replaced, rows[i - 1, j] + 1, rows[i, j - 1] + 1)
    return rows[-1, -1]


def test_edits_of_all_texts_are_divided_by_all_tokens():
    expected = ["kitten", "", "flaw", "a"]
    answered = ["sitting", "ab", "lawn", ""]
    assert token_error_rate(expected, answered, "character") == (3 + 2 + 2 + 1) / 11
    assert token_error_rate(expected, expected, "character") == 0


def test_words_and_characters_are_told_apart():
    assert token_error_rate(["K AE T"], ["K AH T"], "space") == 1 / 3
    assert token_error_rate(["K AE T"], ["K AH T"], "character") == 1 / 6
    assert token_error_rate(["K AE T"], ["K  AE T "], "space") == 0
    assert token_error_rate(["größe 🙂"], ["große 🙂"], "character") == 1 / 7
    assert token_error_rate(["a"], ["b c d"], "space") == 3


def test_random_texts_have_the_distance_of_the_definition():
    random = np.random.default_rng(0)
    texts = ["".join(random.choice(list("abc"), random.integers(0, 9))) for _ in range(120)]
    expected, answered = np.array(texts[:60], object), np.array(texts[60:], object)
    edits = sum(map(by_hand, expected, answered))
    rate = token_error_rate(expected, answered, "character")
    assert rate == pytest.approx(edits / sum(map(len, expected)), abs=1e-12)


def test_a_text_is_right_as_a_whole_or_wrong():
    assert text_error_rate(["168", "7", "70", ""], ["168", "07", "70", ""]) == 0.25


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="received 1 for 2"):
        text_error_rate(["a", "b"], ["a"])
    with pytest.raises(InputError, match="received 0 for 0"):
        token_error_rate([], [], "space")
    with pytest.raises(InputError, match="expected must have a token"):
        token_error_rate(["", " "], ["a", "b"], "space")
    with pytest.raises(InputError, match="split must be 'character' or 'space'; received 'word'"):
        token_error_rate(["a"], ["a"], "word")

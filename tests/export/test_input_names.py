"""The names under which a SavedModel takes the columns of a table."""

from __future__ import annotations

import keyword

from kexp.export.input_names import signature_keys


def test_a_valid_name_is_kept_wherever_it_stands():
    assert signature_keys(["a b", "a_b", "name", "inputs", "label"]) == {
        "a b": "a_b_2",
        "a_b": "a_b",
        "name": "name",
        "inputs": "inputs",
        "label": "label",
    }


def test_no_two_columns_share_a_key_even_when_case_is_ignored():
    names = ["Age", "age", "AGE", "age_2", "a/b", "a.b", "a-b", "a b", "é", "e", "", " ", "日", "本"]
    keys = signature_keys(names)
    assert list(keys) == names
    assert len({key.lower() for key in keys.values()}) == len(names)


def test_every_key_is_a_name_python_and_tensorflow_take():
    names = ["class", "None", "self", "_private", "1", "1st", "x (m²)", "../up", "a\nb", "🙂", "lambda "]
    for key in signature_keys(names).values():
        assert key.isascii()
        assert key.isidentifier()
        assert key[0] != "_"
        assert not keyword.iskeyword(key)
        assert key != "self"

"""Text from any source becomes one vector of strings, and nothing that is none passes for it."""

import gzip

import numpy as np
import pandas as pd
import pytest

from kexp.core.errors import InputError
from kexp.data import load, names
from kexp.data.adapters import adapt_inputs, read_inputs
from kexp.data.dataset import Column, DatasetSpec

NAMES = ["Anna", "Iván", "", "Łukasz", "", "日本"]
LABELS = ["f", "m", "f", "m", "f", "m"]
ALL = {"validation": 0, "test": 0}
SPEC = DatasetSpec("text", (), "string", "classification", 2, ("f", "m"))


@pytest.mark.parametrize(
    "given",
    [
        NAMES,
        np.array(NAMES),
        np.array(NAMES, object),
        pd.Series(NAMES),
        ["Anna", "Iván", None, "Łukasz", float("nan"), "日本"],
    ],
    ids=["list", "fixed width", "objects", "pandas", "with gaps"],
)
def test_strings_are_text_in_whatever_they_come_and_a_missing_one_is_empty(given):
    data = load((given, LABELS), **ALL)
    spec = data.spec
    assert (spec.kind, spec.input_shape, spec.dtype, spec.columns) == ("text", (), "string", ())
    assert data.train.inputs.tolist() == NAMES
    assert data.train.inputs.dtype == object
    assert {type(text) for text in data.train.inputs} == {str}
    assert not data.train.inputs.flags.writeable
    assert data.fingerprint == load((NAMES, LABELS)).fingerprint


def test_the_content_of_text_is_in_the_fingerprint():
    other = ["Anna", "Iván", "", "Łukasz", "", "日"]
    assert load((other, LABELS)).fingerprint != load((NAMES, LABELS)).fingerprint


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", 3, "b"], "must be text, received a int at sample 1"),
        (["a", "b", ["c"]], "must be text, received a list at sample 2"),
        (["a", "\ud800", "c"], "UTF-8 can say.* at sample 1"),
        (["a", "b", "c\0"], "without NUL.* at sample 2"),
        (["a", "b"], "2 inputs and 3 targets"),
        ([["a"], ["b"], ["c"]], "expected train inputs of numbers"),
    ],
)
def test_what_is_no_text_is_refused_with_its_sample(texts, message):
    with pytest.raises(InputError, match=message):
        load((texts, [0, 1, 0]), **ALL)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "frame"])
def test_a_column_of_a_table_is_the_text_and_the_others_are_left_out(tmp_path, ending):
    frame = pd.DataFrame({"id": range(6), "first name": NAMES, "label": LABELS})
    path = tmp_path / f"people.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending != "frame":
        frame.to_csv(path, index=False)
    data = load(frame if ending == "frame" else path, text="first name", target="label", **ALL)
    assert data.train.inputs.tolist() == NAMES
    assert data.spec.columns == (Column("first name", "text"),)
    assert (data.spec.kind, data.spec.target, data.spec.class_names) == ("text", "label", ("f", "m"))
    assert DatasetSpec.from_json(data.spec.to_json()) == data.spec


def test_words_that_pandas_takes_for_gaps_stay_words(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\nNA,0\nNone,1\n,0\n007,1\n")
    assert load(tmp_path / "a.csv", text="x", target="y", **ALL).train.inputs.tolist() == [
        "NA",
        "None",
        "",
        "007",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "nam", "target": "label"}, r"no column text='nam' \(did you mean 'name'\?\)"),
        ({"text": "name", "target": "name"}, "text='name' is the target too"),
        ({"text": "name"}, "a table needs target="),
        ({"text": "age", "target": "label"}, "column 'age' must be text, received a int"),
    ],
)
def test_a_column_that_cannot_be_the_text_is_refused(options, message):
    frame = pd.DataFrame({"name": NAMES, "age": range(6), "label": LABELS})
    with pytest.raises(InputError, match=message):
        load(frame, **options)


def test_only_a_table_has_a_text_column():
    with pytest.raises(InputError, match=r"text='name'.*leave text out"):
        load("digits", text="name")


def test_a_table_in_the_data_dir_is_found_by_its_name_but_gives_way_to_embedded_data(data_dir):
    for name in ("people", "first_names"):
        with gzip.open(data_dir / f"{name}.csv.gz", "wt", encoding="utf-8") as file:
            file.write("text,label\nAnna,f\nJan,m\n")
    assert load("people", text="text", target="label", **ALL).name == "people"
    assert names()["people"].startswith("table in a CSV file: ")
    assert len(load("first_names").train) > 5000
    assert names()["first_names"].startswith("text: ")


def test_classes_of_text_are_drawn_in_proportion_and_always_alike():
    first, again = load("first_names", seed=1), load("first_names", seed=2)
    shares = [part.targets.mean() for part in (first.train, first.validation, first.test)]
    np.testing.assert_allclose(shares, shares[0], atol=2e-3)
    assert first.test.inputs.tolist() == again.test.inputs.tolist()
    assert first.validation.inputs.tolist() != again.validation.inputs.tolist()


def test_a_dataset_of_tensorflow_may_give_text():
    import tensorflow as tf

    data = load(tf.data.Dataset.from_tensor_slices((NAMES, LABELS)), **ALL)
    assert (data.spec.kind, data.train.inputs.tolist()) == ("text", NAMES)


def test_one_string_is_one_sample_and_none_is_empty():
    assert adapt_inputs("Anna", SPEC).tolist() == ["Anna"]
    assert adapt_inputs(["Anna", None], SPEC).tolist() == ["Anna", ""]
    assert adapt_inputs({"text": ["Anna"], "age": [3]}, SPEC).tolist() == ["Anna"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "one string or more, received a list"),
        (3, "one string or more, received a int"),
        (np.array([["a"]]), "one string or more, received an array of <U1"),
        ([1.5], "received a float at sample 0"),
        ({"name": ["a"]}, "lack the column 'text'"),
    ],
)
def test_inputs_that_are_no_text_are_refused(raw, message):
    with pytest.raises(InputError, match=message):
        adapt_inputs(raw, SPEC)


def test_a_text_file_has_a_sample_in_every_line(tmp_path):
    (tmp_path / "a.txt").write_bytes("Anna\r\n\r\nŁu kasz\n".encode())
    assert read_inputs(tmp_path / "a.txt", SPEC).tolist() == ["Anna", "", "Łu kasz"]
    (tmp_path / "b.csv").write_text("id,text\n1,NA\n2,\n")
    assert read_inputs(tmp_path / "b.csv", SPEC).tolist() == ["NA", ""]
    np.save(tmp_path / "c.npy", np.array(["Anna"]))
    assert read_inputs(tmp_path / "c.npy", SPEC).tolist() == ["Anna"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "expected a text in every line, received nothing"),
        ("a.txt", "Zürich".encode("latin-1"), "cannot be read as UTF-8"),
        ("a.csv", b"name\nAnna\n", "a.csv: inputs lack the column 'text'"),
        ("a.png", b"", r"lines of text \(.txt\), a table with the column 'text'"),
    ],
)
def test_a_file_that_holds_no_text_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_inputs(tmp_path / name, SPEC)

"""Arrays, lists and tables in memory that would become something else without a word, or a traceback."""

import time
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from kexp.core.errors import InputError
from kexp.data import (
    Column,
    DatasetSpec,
    canvases,
    load,
    one_class,
    passages,
    sample_path,
    scenes,
    windows,
)
from kexp.data.adapters import adapt_inputs
from kexp.data.class_labels import resolve_class_indices
from tests.campaign.damages import refused

N = 8
NAN, MASKED = np.nan, np.ma.masked
X, Y = np.random.default_rng(0).normal(size=(N, 3)), np.arange(N) % 2
IMAGES = np.zeros((N, 4, 5), np.uint8)
TEXTS = ["a", "b"] * (N // 2)


@pytest.fixture(autouse=True)
def in_time():
    started = time.process_time()
    yield
    assert time.process_time() - started < 5


def cases(values):
    return {"argvalues": values.items(), "ids": list(values)}


class Broken:
    """What cannot be made an array."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("needs its gradient")

    def __len__(self):
        return N


def masked(values, *places):
    array = np.ma.array(values)
    for place in places:
        array[place] = MASKED
    return array


def each(*values):
    return list(values) * (N // len(values))


LABELS = {
    "NaN and text": (each(NAN, "a"), "targets", "a float", "sample 0"),
    "a number and text": (each(1, "a"), "targets", "a int", "sample 0"),
    "text and a number": (each("a", 1), "targets", "a int", "sample 1"),
    "a fraction and text": (each("a", 1.5), "targets", "a float", "sample 1"),
    "a truth value and text": (each("a", True), "targets", "a bool", "sample 1"),
    "None and text": (each("a", None), "targets", "a NoneType", "sample 1"),
    "bytes and text": (each("a", b"a"), "targets", "a bytes", "sample 1"),
    "bytes": (each(b"a", b"b"), "targets", "a bytes"),
    "a truth value and numbers": (each(True, 2), "targets", "2 at sample 1"),
    "a truth value and fractions": (each(2.5, True), "targets", "True at sample 1"),
    "objects of several kinds": (np.array(each("a", 1), object), "targets", "sample 1"),
    "objects with NaN": (np.array(each("a", NAN), object), "targets", "sample 1"),
    "objects that are none": ([object()] * N, "targets"),
    "dictionaries": ([{"a": 1}] * N, "targets"),
    "decimals": (each(Decimal(1), Decimal(2)), "targets", "Decimal"),
    "a Series with a gap": (pd.Series(each("a", None)), "targets", "sample 1"),
    "a Series of whole numbers with a gap": (pd.Series(each(1, None), dtype="Int64"), "targets"),
    "masked whole numbers": (masked(Y, 3), "targets are masked at sample 3"),
    "masked fractions": (masked(X[:, 0], 2), "targets are masked at sample 2"),
    "masked text": (masked(TEXTS, 1), "targets are masked at sample 1"),
    "masked in a list": ([0, 1, MASKED, *Y[3:]], "targets are masked at sample 2"),
    "complex": (Y * 1j, "targets", "complex128"),
    "dates": (np.arange(N).astype("M8[D]"), "targets", "datetime64"),
    "spans of time": (np.arange(N).astype("m8[s]"), "targets", "timedelta64"),
    "fields": (np.zeros(N, [("a", "i4")]), "targets"),
    "no axes": (np.int64(3), "0 targets"),
    "nothing": (None, "0 targets"),
    "text": ("abcdefgh", "0 targets"),
    "a set": ({0, 1}, "0 targets"),
    "a generator": ((value for value in Y), "0 targets"),
    "none": ([], "0 targets"),
    "too many": ([*Y, 1], "8 inputs and 9 targets"),
    "of several lengths": ([[1.5], [2.5, 3.5]] * (N // 2), "targets differ in shape"),
    "cubes": (np.zeros((N, 2, 2)), "targets of shape"),
    "negative": (each(0, -1), "labels from 0, received -1 at sample 1"),
    "infinite": (each(1.5, np.inf), "targets are NaN or infinite", "sample 1"),
    "NaN": (each(1.5, NAN), "targets are NaN or infinite", "sample 1"),
    "beyond float32": (each(1.5, 1e300), "targets are NaN or infinite", "sample 1"),
    "a whole number of 500 digits": (each(1, 10**500), "targets"),
    "one-hot": (np.eye(2)[Y], "one-hot"),
    "half a surrogate pair": (each("a", "b\ud800"), "labels", "'b\\ud800' at sample 1"),
    "NUL": (each("a", "a\0"), "labels", "'a\\x00' at sample 1"),
    "all of one class": ([1] * N, "every label is '1'"),
    "what makes no array": (Broken(), "targets cannot be made an array", "needs its gradient"),
}


@pytest.mark.parametrize(("name", "case"), **cases(LABELS))
def test_targets_that_are_not_of_one_kind_are_refused(name, case):
    labels, *words = case
    with refused(*words):
        load((X, labels))


@pytest.mark.parametrize(
    "labels", [each(0.5, 1.0), each(0, NAN), each(0, np.inf), each(0, 1e300), each(0.0, 2.0**64)]
)
def test_classes_that_are_no_whole_numbers_are_refused_with_their_place(labels):
    wrong = next(place for place, label in enumerate(labels) if not 0 <= label < 2**63 or label % 1)
    with refused("labels", f"received {labels[wrong]} at sample {wrong}"):
        load((X, np.array(labels)), task="classification")


INPUTS = {
    "a masked table": (masked(X, (2, 1)), "inputs are masked at sample 2", ".filled("),
    "masked images": (masked(IMAGES, (0, 1, 1)), "inputs are masked at sample 0"),
    "masked series": (masked(np.zeros((N, 5, 2)), (7, 4, 0)), "inputs are masked at sample 7"),
    "a list of masked series": ([*np.zeros((N - 1, 5, 2)), masked(np.zeros((5, 2)), (0, 0))], "at sample 7"),
    "masked in a list": ([[1.0, MASKED]] + [[1.0, 2.0]] * (N - 1), "inputs are masked at sample 0"),
    "complex": (X * 1j, "complex128"),
    "dates": (X.astype("M8[s]"), "datetime64"),
    "fields": (np.zeros(N, [("a", "f4")]), "inputs of numbers"),
    "objects": (np.full((N, 2), object()), "inputs of numbers"),
    "text and numbers": ([["a", 1]] * N, "inputs of numbers"),
    "a number, then text": ([1, *TEXTS[1:]], "inputs of numbers"),
    "bytes": (np.array(TEXTS, "S"), "inputs of numbers"),
    "no axes": (np.float64(3), "inputs of shape"),
    "none": (np.zeros((0, 3)), "inputs are empty"),
    "no columns": (np.zeros((N, 0)), "inputs are empty"),
    "one axis": (X[:, 0], "x[:, None]"),
    "nothing": (None, "inputs of numbers"),
    "a set": ({1, 2}, "inputs of numbers"),
    "a dictionary": ({"a": X}, "inputs of numbers"),
    "a generator": ((row for row in X), "inputs of numbers"),
    "of several lengths": ([[1], [2, 3]] * (N // 2), "samples differ in shape"),
    "NaN": (np.full((N, 2), NAN), "NaN or infinite"),
    "infinity": (np.full((N, 2), -np.inf), "NaN or infinite"),
    "beyond float32": (np.full((N, 2), 1e300), "NaN or infinite"),
    "a whole number of 500 digits": ([[10**500]] * N, "inputs of numbers"),
    "text with half a surrogate pair": (["\udc80", *TEXTS[1:]], "inputs", "sample 0"),
    "text with NUL": ([*TEXTS[:-1], "a\0"], "inputs", "sample 7"),
    "text and bytes": ([*TEXTS[:-1], b"a"], "inputs", "a bytes at sample 7"),
    "text and a number": ([*TEXTS[:-1], 3], "inputs", "a int at sample 7"),
    "series with NaN inside": (
        np.where(np.arange(30).reshape(1, 15, 2) == 3, NAN, 0) + np.zeros((N, 1, 1)),
        "NaN",
    ),
    "what makes no array": (Broken(), "inputs cannot be made an array", "needs its gradient"),
}


@pytest.mark.parametrize(("name", "case"), **cases(INPUTS))
def test_inputs_that_are_no_numbers_and_no_text_are_refused(name, case):
    inputs, *words = case
    with refused(*words):
        load((inputs, Y))


CLASS_NAMES = {
    "twice": (["a", "a"], "every class name once", "'a' for the classes 0 and 1"),
    "too few": (["a"], "1 class names"),
    "one text": ("ab", "class_names must be a list of strings"),
    "bytes": ([b"a", b"b"], "class_names must be a list of strings"),
    "None among them": (["a", None], "class_names must be a list of strings"),
    "a number among them": (["a", 1], "class_names must be a list of strings"),
    "NaN among them": (["a", NAN], "class_names must be a list of strings"),
    "fractions": ([0.5, 1.5], "class_names must be a list of strings"),
    "masked": (masked(["a", "b"], 1), "class_names are masked"),
    "of two axes": ([["a", "b"]], "class_names must be a list of strings"),
    "half a surrogate pair": (["a", "\ud800"], "class names", "'\\ud800'"),
    "NUL": (["a", "\0"], "class names", "'\\x00'"),
    "a number": (3, "class_names must be a list of strings"),
    "nothing": (None, "class_names must be a list of strings"),
}


@pytest.mark.parametrize(("name", "case"), **cases(CLASS_NAMES))
def test_class_names_that_are_not_one_text_for_each_class_are_refused(name, case):
    names, *words = case
    with refused(*words):
        load({"x_train": X, "y_train": Y, "class_names": names})


def test_labels_that_are_not_among_the_class_names_are_refused():
    with refused("labels among the class names 'a', 'c'", "received 'b'"):
        load({"x_train": X, "y_train": TEXTS, "class_names": ["a", "c"]})


COLUMNS = {
    "categories of several types": (
        pd.Categorical(each(1, "1")),
        "column 'c'",
        "categories of several types",
    ),
    "truth values and text": (each(True, "a"), "column 'c'", "mixed"),
    "bytes": (each(b"a", b"b"), "column 'c'", "bytes"),
    "complex": (Y * 1j, "column 'c'", "complex128"),
    "months": (pd.period_range("2020", periods=N, freq="M"), "column 'c'", "period"),
    "ranges": (pd.interval_range(0, N), "column 'c'", "interval"),
    "lists": ([[1]] * N, "column 'c'", "mixed"),
    "a whole number of 500 digits": (each(1, 10**500), "column 'c' is infinite", "row 2"),
    "a negative one": (each(1, -(10**500)), "column 'c' is infinite", "row 2"),
    "half a surrogate pair": (
        pd.Series(each("a", "\ud800"), dtype=object),
        "column 'c'",
        "'\\ud800' in row 2",
    ),
    "NUL": (each("a", "\0"), "column 'c'", "'\\x00' in row 2"),
}


@pytest.mark.parametrize(("name", "case"), **cases(COLUMNS))
def test_columns_that_are_neither_numbers_nor_categories_are_refused(name, case):
    values, *words = case
    with refused("data 'DataFrame'", *words):
        load(pd.DataFrame({"c": values, "y": Y}), target="y")
    # Lists as targets may be the labels of each sample, so that more is looked at.
    words = ["received a list"] if name == "lists" else words
    with refused("data 'DataFrame'", *words):
        load(pd.DataFrame({"x": Y, "c": values}), target="c")


@pytest.mark.parametrize("name", ["\ud800", "a\0b"])
def test_names_of_columns_that_utf_8_cannot_say_are_refused(name):
    with refused("column names that UTF-8 can say", repr(name)):
        load(pd.DataFrame(np.stack([Y, Y], 1), columns=pd.Index([name, "y"], dtype=object)), target="y")


def test_a_very_wide_table_is_refused_at_once():
    with refused("expected at most 20,000 columns, received 30,000", ".npz"):
        load(pd.DataFrame(np.zeros((2, 30_000))), target="0")


def test_long_names_and_values_are_cut_in_a_sentence():
    with pytest.raises(ValueError, match="column 'xxx") as raised:
        load(pd.DataFrame({"x" * 10**6: [{"a": 1}] * N, "y": Y}), target="y")
    assert len(str(raised.value)) < 500


SERIES = {
    "masked": (masked(np.arange(30.0), 3), "values are masked at sample 3"),
    "complex": (np.arange(30) * 1j, "values", "ndarray"),
    "dates": (np.arange(30).astype("M8[D]"), "values"),
    "text": (["1"] * 30, "values"),
    "of several lengths": ([[1], [2, 3]], "values differ in shape"),
    "NaN": (np.full(30, NAN), "step 0"),
    "what makes no array": (Broken(), "values cannot be made an array"),
    "times in a table": (
        pd.DataFrame({"a": pd.date_range("2020", periods=30)}),
        "expected numbers in column",
    ),
    "a number of 500 digits in a table": (pd.DataFrame({"a": [*range(29), 10**500]}), "step 29"),
}


@pytest.mark.parametrize(("name", "case"), **cases(SERIES))
def test_series_that_are_no_numbers_are_refused(name, case):
    values, *words = case
    with refused(*words):
        windows(values, history=3, test=2, column="a" if isinstance(values, pd.DataFrame) else None)


IMAGE = DatasetSpec("image", (4, 5, 1), "uint8", "classification", 2)
ARRAY = DatasetSpec("array", (3,), "float32", "classification", 2)
STEPS = DatasetSpec("series", (5, 2), "float32", "classification", 2)
TEXT = DatasetSpec("text", (), "string", "classification", 2)
TABLE = DatasetSpec(
    "table", (2,), "mixed", "classification", 2, columns=(Column("n", "number"), Column("c", "category"))
)
TO_PREDICT = {
    "masked images": (masked(IMAGES, (1, 0, 0)), IMAGE, "inputs are masked at sample 1"),
    "masked numbers": (masked(X, (1, 0)), ARRAY, "inputs are masked at sample 1"),
    "masked series": ([masked(np.zeros((5, 2)), (0, 0))], STEPS, "inputs are masked at sample 0"),
    "a whole number of 500 digits": ([[10**500, 1, 1]], ARRAY, "inputs must be an array of numbers"),
    "complex": (X * 1j, ARRAY, "inputs must be an array of numbers"),
    "of several lengths": ([[1], [2, 3]], ARRAY, "inputs differ in shape"),
    "what makes no array": (Broken(), ARRAY, "inputs cannot be made an array"),
    "text with half a surrogate pair": (["\ud800"], TEXT, "inputs must be text"),
    "a number as text": ([3], TEXT, "inputs must be text"),
    "a column of 500 digits": ({"n": [10**500], "c": ["a"]}, TABLE, "column 'n'", "digits in row 1"),
    "a text of 500 digits": ({"n": ["7" * 500], "c": ["a"]}, TABLE, "column 'n'", "in row 1"),
    "a column of times": ({"n": pd.date_range("2020", periods=1), "c": ["a"]}, TABLE, "column 'n'", "row 1"),
    "a complex column": ({"n": np.array([1j]), "c": ["a"]}, TABLE, "column 'n'", "row 1"),
    "a column of lists": ({"n": [[1], [2]], "c": ["a", "b"]}, TABLE, "column 'n'", "one value per sample"),
    "categories in lists": ({"n": [1], "c": [["a"]]}, TABLE, "column 'c'", "one value per sample"),
    "two axes": ({"n": np.zeros((2, 2)), "c": ["a", "b"]}, TABLE, "column 'n'", "one value per sample"),
    "a category with half a surrogate pair": ({"n": [1], "c": ["\ud800"]}, TABLE, "column 'c'", "row 1"),
    "bytes": ({"n": [1], "c": [b"a"]}, TABLE, "column 'c'"),
    "a column that makes no array": ({"n": Broken(), "c": ["a"]}, TABLE, "column 'n'"),
    "columns of several lengths": ({"n": [1, 2], "c": ["a"]}, TABLE, "as many in every column"),
}


@pytest.mark.parametrize(("name", "case"), **cases(TO_PREDICT))
def test_inputs_to_predict_that_are_not_the_models_are_refused(name, case):
    inputs, spec, *words = case
    with refused(*words):
        adapt_inputs(inputs, spec)


def test_what_is_masked_is_missing_where_something_may_be():
    table = adapt_inputs({"n": masked([1.0, 2.0], 1), "c": masked(["a", "b"], 0)}, TABLE)
    np.testing.assert_array_equal(table["n"], np.float32([1, NAN]))
    assert table["c"].tolist() == ["", "b"]
    listed = adapt_inputs({"n": [MASKED, 2], "c": ["a", MASKED]}, TABLE)
    np.testing.assert_array_equal(listed["n"], np.float32([NAN, 2]))
    assert listed["c"].tolist() == ["a", ""]
    assert adapt_inputs(masked(["a", "b"], 0), TEXT).tolist() == ["", "b"]
    assert load((masked(TEXTS, 0), Y), validation=0, test=0).train.inputs.tolist() == ["", *TEXTS[1:]]


def test_a_masked_array_without_a_masked_entry_is_an_array():
    data = load((np.ma.array(X), np.ma.array(Y)), validation=0, test=0)
    np.testing.assert_array_equal(data.train.inputs, X.astype(np.float32))
    assert type(data.train.inputs) is np.ndarray
    assert data.train.targets.tolist() == Y.tolist()


ODD = [None, 3, -1, 1.5, NAN, "", "x", "\ud800", [], {}, object(), np.array([1, 2]), 10**500, True, b"x", len]
ARGUMENTS = {
    "load": (load, {"source": "iris"}, "source task validation test seed image_size kinds"),
    "load a table": (load, {"source": pd.DataFrame({"a": Y, "y": Y}), "target": "y"}, "target text task"),
    "windows": (
        windows,
        {"values": X[:, 0], "history": 2, "test": 1},
        "values history horizon test name column",
    ),
    "passages": (passages, {"source": "moby_dick", "context": 9999}, "source context validation test"),
    "canvases": (canvases, {"samples": (1, 1, 1)}, "data size samples objects scale clutter seed"),
    "scenes": (
        scenes,
        {"samples": (1, 1, 1)},
        "data size samples objects sides overlap clutter empty seed",
    ),
    "one_class": (one_class, {}, "data normal"),
    "sample_path": (sample_path, {}, "name"),
}


@pytest.mark.parametrize(
    ("call", "argument"), [(call, name) for call in ARGUMENTS for name in ARGUMENTS[call][2].split()]
)
def test_an_argument_of_another_type_is_one_sentence_or_right(call, argument):
    function, given, _ = ARGUMENTS[call]
    said = []
    for value in ODD:
        arguments = given | ({"data": load("digits")} if call in ("canvases", "one_class", "scenes") else {})
        try:
            function(**arguments | {argument: value})
        except InputError as error:
            said.append(str(error))
    assert said
    assert all(sentence.endswith(".") and "\n" not in sentence and len(sentence) < 500 for sentence in said)


@pytest.mark.parametrize(
    "labels", [5, None, "ab", {"a", "b"}, [None, 0], [1.0, 0], [np.array([0, 1]), 0], [b"a", 0]]
)
def test_labels_that_are_asked_for_and_are_no_list_of_classes_are_refused(labels):
    with refused("labels must be"):
        resolve_class_indices(labels, 2, ("a", "b"))

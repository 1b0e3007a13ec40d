"""Data in memory have a fingerprint, and are read by another process as they were given."""

import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from kexp.core.errors import InputError
from kexp.data import load
from kexp.data.memory_content import Content
from kexp.data.memory_files import keep, read_kept
from kexp.data.memory_forms import form_of

ROWS = 6


def frame():
    """Return a table with a column of every kind that `load` takes, and of some that it does not."""
    return pd.DataFrame(
        {
            "whole": pd.array([1, None, 3, 4, 5, 2**60], dtype="Int64"),
            "small": np.arange(ROWS, dtype=np.uint8),
            "float": [1.5, np.nan, 2, 3, 4, 5],
            "float32": np.arange(ROWS, dtype=np.float32),
            "text": ["NA", "None", "", None, "é", "nan"],
            "object": pd.Series(["NA", None, "x", "y", "", "null"], dtype=object),
            "string": pd.array(["a", None] * 3, dtype="string"),
            "ordered": pd.Categorical(list("ba") * 3, categories=["z", "b", "a"], ordered=True),
            "numbered": pd.Categorical([1, 2, 1, 2, 1, None], categories=[2, 1, 7]),
            "cut": pd.cut(np.arange(ROWS), 3),
            "truth": [True, False] * 3,
            "nullable truth": pd.array([True, None] * 3, dtype="boolean"),
            "truth with gaps": pd.Series([True, None, False, True, True, False], dtype=object),
            "whole with gaps": pd.Series([1, 2, None, 10**20, 5, 6], dtype=object),
            "several types": pd.Series([1, 2.5, None, 4, Decimal("1.50"), 6], dtype=object),
            "arrow": pd.array([1, None, 3, 4, 5, 6], dtype="int64[pyarrow]"),
            "day": pd.date_range("2020-01-01", periods=ROWS),
            "moment": pd.date_range("2020-03-29", periods=ROWS, freq="h", tz="Europe/Berlin"),
            "length": pd.to_timedelta([0, 1, 2, 3, 4, None], unit="h"),
            "y": list("ab") * 3,
        }
    )


def carried(data, folder):
    """Return data as another process reads them."""
    keep(Content.of(data), folder)
    return read_kept(folder).value()


def test_a_table_comes_back_column_by_column(tmp_path):
    given = frame()
    back = carried(given, tmp_path)
    pd.testing.assert_frame_equal(back, given)
    assert [column.dtype for _, column in back.items()] == [column.dtype for _, column in given.items()]
    assert {path.name for path in tmp_path.iterdir()} == {"data.json", "data.parquet"}
    # Of another index, another order of columns or labels that are no texts, nothing is lost.
    for number, other in enumerate(
        (
            given.set_index("day"),
            given.set_index(["moment", "text"]),
            given[2:5],
            given[["y", "whole"]],
            given[["float", "small"]].set_axis(pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]), axis=1),
            given[["float", "small"]].set_axis([0, 1], axis=1),
        )
    ):
        back = carried(other, tmp_path / str(number))
        pd.testing.assert_frame_equal(back, other, check_freq=False, check_column_type=False)
        pd.testing.assert_index_equal(back.index, other.index, exact="equiv")


SERIES = [np.random.default_rng(0).random((steps, 2)).astype(np.float32) for steps in (3, 5, 2, 4)]
OBJECTS = np.empty(4, object)
OBJECTS[:] = SERIES
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 6, 6), np.uint8)
FORMS = {
    "numbers": (np.random.default_rng(0).random((8, 3)), [0, 1] * 4),
    "columns first": (np.asfortranarray(np.arange(24.0).reshape(8, 3)), np.arange(8) % 2),
    "big endian": (np.arange(24, dtype=">i4").reshape(8, 3), np.arange(8) % 2),
    "lists": ([[1, 2], [3, 4], [5, 6], [7, 8]], ["a", "b", "a", "b"]),
    "series": (SERIES, ["a", "b", "a", "b"]),
    "series in an array of objects": (OBJECTS, np.array(["NA", "b", "NA", "b"])),
    "padded series": {"x_train": np.ones((4, 5, 2)), "y_train": [0, 1, 0, 1], "length_train": [1, 2, 3, 4]},
    "images with masks": (IMAGES, (IMAGES > 100).astype(np.uint8)),
    "texts": (["Anna", "NA", None, ""], np.array(["a", "b", "a", "b"], object)),
    "masked texts": (np.ma.array(["a", "b", "c", "d"], mask=[0, 1, 0, 0], dtype=object), [0, 1, 0, 1]),
    "parts": {
        "x_train": IMAGES[:4],
        "y_train": np.arange(4) % 2,
        "x_test": IMAGES[4:],
        "y_test": np.arange(4) % 2,
        "class_names": ["no", "yes"],
    },
    "a Series as targets": (np.arange(24.0).reshape(8, 3), pd.Series(list("ab") * 4, name="y")),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_is_loaded_of_data_that_were_kept_is_what_was_given(name, tmp_path):
    given = FORMS[name]
    back = carried(given, tmp_path)
    assert type(back) is type(given)
    loaded = [load(data, validation=0, test=0) for data in (given, back)]
    assert loaded[0].fingerprint == loaded[1].fingerprint
    assert Content.of(back).fingerprint == Content.of(given).fingerprint


@pytest.mark.parametrize(
    "name",
    [name for name in frame() if name not in ("y", "float", "several types", "day", "moment", "length")],
)
def test_what_is_loaded_of_a_table_that_was_kept_is_what_was_given(name, tmp_path):
    given = frame()[[name, "float", "y"]]
    options = {"target": "y", "validation": 0, "test": 0}
    loaded = [load(data, **options) for data in (given, carried(given, tmp_path))]
    assert loaded[0].fingerprint == loaded[1].fingerprint
    assert loaded[0].spec == loaded[1].spec


@pytest.mark.parametrize("name", ["iris", "first_names", "japanese_vowels"])
def test_a_dataset_comes_back_with_its_splits(name, tmp_path):
    given = load(name, seed=3)
    back = carried(given, tmp_path)
    assert (back.spec, back.fingerprint, back.name) == (given.spec, given.fingerprint, given.name)
    assert Content.of(back).fingerprint == Content.of(given).fingerprint
    assert Content.of(load(name, seed=4)).fingerprint != Content.of(given).fingerprint
    np.testing.assert_array_equal(back.validation.targets, given.validation.targets)
    with pytest.raises(ValueError, match="read-only"):
        back.train.targets[0] = 0


def test_a_dataset_of_tensorflow_is_read_once_for_all(tmp_path):
    import tensorflow as tf

    x, y = np.random.default_rng(0).random((40, 3)), np.arange(40) % 2
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(40, seed=1).batch(7)
    back = carried(dataset, tmp_path)
    assert Content.of(back).fingerprint == read_kept(tmp_path).fingerprint
    assert sorted(back[0][:, 0]) == sorted(x[:, 0])


def test_a_fingerprint_is_of_the_content_and_the_same_in_every_process():
    given = frame()
    first = Content.of(given).fingerprint
    assert Content.of(given.copy()).fingerprint == first
    for change in (
        given.assign(y=["a"] * ROWS),
        given.assign(small=given["small"].astype(np.int16)),
        given.rename(columns={"y": "z"}),
        given[[*given.columns[1:], given.columns[0]]],
        given.assign(text=["NA", None, "", None, "é", "nan"]),
    ):
        assert Content.of(change).fingerprint != first
    code = (
        "from tests.data.test_data_in_memory import *\n"
        "print(Content.of(frame()).fingerprint, Content.of(FORMS['parts']).fingerprint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [first, Content.of(FORMS["parts"]).fingerprint]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pd.DataFrame({"a": [[1], [2]]}), "column 'a' holds objects of the type list"),
        (pd.DataFrame({pd.Timestamp("2020"): [1]}), "has the label Timestamp"),
        ({1: [1]}, "has the key 1"),
        ((object(), [1]), r"data\[0\] is of the type object"),
        ({"x_train": [[1]], "extra": {"model": print}}, r"data\['extra'\]\['model'\] is of the type builtin"),
    ],
)
def test_what_cannot_be_kept_is_named_in_one_sentence(data, words):
    with pytest.raises(InputError, match=words) as refused:
        Content.of(data)
    assert "\n" not in str(refused.value)


def test_files_that_were_damaged_are_noticed_and_written_anew(tmp_path):
    content = Content.of(FORMS["numbers"])
    keep(content, tmp_path)
    for name in ("data.npz", "data.json"):
        path = tmp_path / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-20])
        with pytest.raises(InputError, match=name):
            read_kept(tmp_path)
        keep(content, tmp_path)
        assert read_kept(tmp_path).fingerprint == content.fingerprint
    path = tmp_path / "data.json"
    path.write_text(path.read_text().replace("data.npz", "../data.npz"))
    with pytest.raises(InputError, match=r"file must be data.npz or data.parquet"):
        read_kept(tmp_path)


def test_a_list_of_names_is_no_data():
    assert form_of(["iris", "digits"]) is None
    assert form_of(()) is None


def test_a_dataset_is_loaded_as_it_is_and_nothing_that_it_cannot_obey_is_asked_of_it():
    data = load("iris", seed=3)
    assert load(data, validation=0.3, seed=5, task="classification", kinds=("table",)) is data
    for asked, words in (
        ({"target": "petal"}, "target='petal': data 'iris' is a Dataset"),
        ({"task": "regression"}, "task='regression': data 'iris' is a Dataset"),
        ({"text": "petal"}, "text='petal': data 'iris' is a Dataset"),
        ({"image_size": (4, 4)}, r"image_size=\(4, 4\): data 'iris' is a Dataset"),
        ({"kinds": ("image",)}, "data 'iris' is of kind 'table', expected 'image'"),
    ):
        with pytest.raises(InputError, match=words):
            load(data, **asked)
    digits = load("digits")
    assert load(digits, image_size=(8, 8)) is digits

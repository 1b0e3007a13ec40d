import gzip
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from kexp.core.errors import InputError
from kexp.data import Column, load

N = 30


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "age": np.linspace(20, 60, N),
            "town": ["Bonn", "Graz", "Bern"] * 10,
            "smoker": [True, False] * 15,
            "ill": ["yes", "no"] * 15,
        }
    )


def whole(source, **options):
    return load(source, validation=0, test=0, **options)


def column(values, **options):
    """One column as it comes out of a table."""
    frame = pd.DataFrame({"c": values, "y": np.arange(len(values)) / 7})
    data = whole(frame, target="y", **options)
    return data.spec.columns[0].kind, data.train.inputs["c"]


def test_a_dataframe_becomes_numbers_and_categories_in_its_own_order(frame):
    data = whole(frame, target="ill")
    assert data.spec.columns == (
        Column("age", "number"),
        Column("town", "category"),
        Column("smoker", "number"),
    )
    assert (data.spec.kind, data.spec.dtype, data.spec.input_shape, data.spec.target) == (
        "table",
        "mixed",
        (3,),
        "ill",
    )
    assert list(data.train.inputs) == ["age", "town", "smoker"]
    assert [x.dtype for x in data.train.inputs.values()] == [np.float32, object, np.float32]
    assert data.train.inputs["smoker"][:2].tolist() == [1, 0]
    assert data.spec.class_names == ("no", "yes")
    assert data.train.targets[:3].tolist() == [1, 0, 1]


def test_the_callers_dataframe_is_left_as_it_is(frame):
    before = frame.copy(deep=True)
    whole(frame, target="ill")
    pd.testing.assert_frame_equal(frame, before)
    frame.loc[0, "age"] = 3.0  # still writable


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_a_file_gives_what_the_dataframe_gives(frame, tmp_path, suffix):
    path = tmp_path / f"patients.{suffix}"
    frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
    data = load(path, target="ill")
    assert data.name == "patients"
    assert data.fingerprint == load(frame, target="ill").fingerprint


def test_missing_numbers_are_nan_and_missing_categories_empty(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("n,t,b,y\n" + "1,x,True,a\n,,,b\n3,z,False,a\n" * 4)
    inputs = whole(path, target="y").train.inputs
    np.testing.assert_array_equal(inputs["n"][:3], np.float32([1, np.nan, 3]))
    assert inputs["t"][:3].tolist() == ["x", "", "z"]
    np.testing.assert_array_equal(inputs["b"][:3], np.float32([1, np.nan, 0]))


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, None, 3], "Int64"),
        [1, None, 3],
        [Decimal(1), None, Decimal(3)],
        np.array([1, np.nan, 3], object),
    ],
)
def test_every_kind_of_number_with_gaps_is_float32(values):
    kind, numbers = column(values)
    assert (kind, numbers.dtype) == ("number", np.float32)
    np.testing.assert_array_equal(numbers, np.float32([1, np.nan, 3]))


@pytest.mark.parametrize("values", [pd.array([True, None, False], "boolean"), [True, None, False]])
def test_truth_values_with_gaps_are_numbers(values):
    kind, numbers = column(values)
    assert kind == "number"
    np.testing.assert_array_equal(numbers, np.float32([1, np.nan, 0]))


@pytest.mark.parametrize(
    "values",
    [
        pd.Categorical(["a", None, "b"]),
        pd.array(["a", None, "b"], "string"),
        np.array(["a", None, "b"], object),
    ],
)
def test_every_kind_of_text_with_gaps_is_a_category(values):
    kind, texts = column(values)
    assert (kind, texts.tolist()) == ("category", ["a", "", "b"])


def test_numbers_marked_as_categories_are_categories():
    assert column(pd.Categorical([1, 2, 1]))[1].tolist() == ["1", "2", "1"]


def test_columns_that_are_constant_or_wholly_missing_are_kept():
    assert np.isnan(column([None, None, None])[1]).all()
    assert column([np.nan] * 3)[0] == "number"
    assert column([5, 5, 5])[1].tolist() == [5, 5, 5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.to_timedelta([1, 2, 3], unit="D"), "timedelta64"),
        (["2020-01-01", "2020-02-29 12:00", None], "received '2020-01-01'; convert it"),
        (["3rd Jan 2020", "14 Feb 2021", "1 May 2022"], "received '3rd Jan 2020'; convert it"),
        (["2020-01-03", "14.02.2021", "2022-05-01"], "received '2020-01-03'; convert it"),
        ([[1], [2], [3]], "received mixed; convert it to numbers or to text"),
        ([b"a", b"b", b"c"], "received bytes"),
        ([True, "a", False], "received mixed"),
        ([1j, 2j, 3j], "received complex128"),
    ],
)
def test_columns_that_are_neither_numbers_nor_categories_are_named(values, message):
    with pytest.raises(InputError, match=f"column 'c', .*{message}"):
        column(values)


def test_one_date_among_other_text_is_a_category():
    assert column(["2020-01-01", "a", "b"])[0] == "category"


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_an_infinite_number_is_named_by_column_and_row(value):
    with pytest.raises(InputError, match=r"column 'c' is infinite \(in float32\) in row 2 of 3"):
        column([0.0, value, 1.0])


@pytest.mark.parametrize(
    ("target", "task", "names"),
    [
        ([True, False] * 20, "classification", ("False", "True")),
        ([2, -1] * 20, "classification", ("-1", "2")),
        ([1.0, 0.0] * 20, "classification", ("0", "1")),
        (list(range(20)) * 3, "classification", tuple(map(str, range(20)))),
        (list(range(21)) * 3, "regression", ()),
        ([0.5, 1.0] * 20, "regression", ()),
        (pd.Categorical(["u", "v"] * 20), "classification", ("u", "v")),
    ],
)
def test_the_target_says_what_the_task_is(target, task, names):
    data = load(pd.DataFrame({"x": np.arange(len(target)), "y": target}), target="y")
    assert (data.spec.task, data.spec.class_names) == (task, names)
    assert data.train.targets.dtype == (np.int32 if names else np.float32)
    assert data.spec.outputs == (len(names) or 1)


def test_task_overrides_what_the_target_seems_to_be():
    frame = pd.DataFrame({"x": range(63), "few": [1, 2, 3] * 21, "many": list(range(21)) * 3})
    data = whole(frame, target="few", task="regression")
    assert data.train.targets[:3].tolist() == [[1], [2], [3]]
    assert load(frame, target="many", task="classification").spec.outputs == 21


def test_missing_targets_are_counted_and_the_first_is_named(frame):
    frame.loc[[4, 9], "ill"] = None
    with pytest.raises(InputError, match="'ill' is missing in 2 rows, the first is row 5 of 30"):
        load(frame, target="ill")


def test_a_date_as_target_is_refused(frame):
    frame["day"] = pd.date_range("2020-01-01", periods=N)
    with pytest.raises(
        InputError, match="the target 'day' must be numbers or classes, received dates such as"
    ):
        load(frame, target="day")


def test_without_a_target_the_columns_are_listed(frame):
    with pytest.raises(InputError, match=r"needs target=.*'age', 'town', 'smoker', 'ill'"):
        load(frame)


def test_an_unknown_target_names_the_nearest_column(frame):
    with pytest.raises(InputError, match=r"target='smokre' \(did you mean 'smoker'\?\)"):
        load(frame, target="smokre")


def test_repeated_column_names_are_refused(tmp_path, frame):
    (tmp_path / "a.csv").write_text("a,b,a\n1,2,3\n")
    with pytest.raises(InputError, match="received 'a' more than once"):
        load(tmp_path / "a.csv", target="b")
    frame.columns = ["age", "age", "smoker", "ill"]
    with pytest.raises(InputError, match="received 'age' more than once"):
        load(frame, target="ill")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "received nothing"),
        ("\n", "received nothing"),
        ("a,y\n", "received column names only"),
        ("a,y\n1,2,3\n", "expected rows of 2 values .* received 3 in the first"),
        ("a,y\n1,2\n1,2,3\n", "cannot be read as a comma-separated"),
        ('a,y\n"1,2\n', "cannot be read as a comma-separated"),
        ("a y\n1 2\n", "expected to be separated by commas"),
        ("y\n1\n2\n", "expected columns besides the target"),
    ],
)
def test_a_csv_file_of_no_use_is_refused_with_the_reason(tmp_path, content, message):
    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(InputError, match=f"bad.*{message}"):
        load(tmp_path / "bad.csv", target="y")


def test_files_that_are_not_what_their_name_says_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes("a,y\nä,1\n".encode("latin-1"))
    (tmp_path / "b.parquet").write_bytes(b"hello")
    (tmp_path / "c.csv.gz").write_bytes(b"hello")
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"a,y\n" + b"1,2\n" * 999)[:-12])
    for name in ("a.csv", "b.parquet", "c.csv.gz", "d.csv.gz"):
        with pytest.raises(InputError, match=f"{name}: cannot be read"):
            load(tmp_path / name, target="y")


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    (tmp_path / "a.csv").write_text("a,y\n" + "1,0.5\n2,1.5\n3,2.5\n", encoding="utf-8-sig")
    assert load(tmp_path / "a.csv", target="y").spec.columns[0].name == "a"


def test_a_csv_table_does_not_import_tensorflow(tmp_path):
    (tmp_path / "a.csv").write_text("a,y\n" + "1,0.5\n2,1.5\n3,2.5\n")
    code = (
        "import sys, kexp.data; kexp.data.load(sys.argv[1], target='y'); print('tensorflow' in sys.modules)"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "a.csv")]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_sunspots_are_a_regression_on_the_year(real_data):
    data = load(real_data / "sunspots.csv", target="sunactivity")
    assert (data.spec.task, data.spec.columns) == ("regression", (Column("year", "number"),))
    assert len(data.train) + len(data.validation) + len(data.test) == 309


def test_first_names_are_a_category_with_two_classes(real_data):
    data = load(real_data / "first_names.csv.gz", target="label")
    assert (data.spec.class_names, data.spec.columns) == (("f", "m"), (Column("name", "category"),))
    assert data.name == "first_names"

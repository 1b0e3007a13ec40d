"""Properties of tables: every way in gives the same inputs, and parts share no row, group or moment."""

import datetime
import itertools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from kexp.core.errors import InputError
from kexp.data import load, windows
from kexp.data.adapters import adapt_inputs, read_inputs
from kexp.data.number_texts import TRUTH_WORDS

set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")  # what it keeps is none of the checkout's
ALL = {"validation": 0.0, "test": 0.0}
ROWS = 8
bounded = settings(max_examples=7, deadline=None, derandomize=True, database=None)


def rows_of(cells):
    """Return a strategy of a column's values, of few different ones or of many."""
    return st.lists(cells, min_size=ROWS, max_size=ROWS)


def gapped(cells):
    return rows_of(st.one_of(cells, st.none()))


WORDS = [
    "NA",
    "None",
    "",
    "null",
    "nan",
    "a",
    " a ",
    "b\u00e9",
    "\u00fc ",
    "yes",
    "no",
    "1a",
    "x y",
    "\u4e16",
    "?",
]
DAYS = st.dates(datetime.date(1950, 1, 1), datetime.date(2060, 1, 1))
MOMENTS = st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2060, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)
CENTS = st.integers(-10_000_000, 10_000_000)

# Columns as pandas holds them.
COLUMNS = {
    "floats": gapped(st.floats(-1e6, 1e6, width=32)).map(lambda cells: pd.Series(cells, dtype="float64")),
    "whole": rows_of(st.integers(-(2**31), 2**31)).map(pd.Series),
    "whole with gaps": gapped(st.integers(0, 2**53)).map(lambda cells: pd.Series(cells, dtype="Int64")),
    "big ids": rows_of(st.integers(2**53 - 50, 2**53)).map(pd.Series),
    "truths": rows_of(st.booleans()).map(pd.Series),
    "truths with gaps": gapped(st.booleans()).map(lambda cells: pd.Series(cells, dtype=object)),
    "words": gapped(st.sampled_from(WORDS)).map(lambda cells: pd.Series(cells, dtype=object)),
    "texts": gapped(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=4)).map(
        lambda cells: pd.Series(cells, dtype=object)
    ),
    "categories": gapped(st.sampled_from(["x", "y", "NA"])).map(lambda c: pd.Series(c, dtype="category")),
    "days": gapped(DAYS).map(lambda cells: pd.Series(pd.to_datetime(pd.Series(cells, dtype=object)))),
    "moments": gapped(MOMENTS).map(lambda cells: pd.Series(pd.to_datetime(pd.Series(cells, dtype=object)))),
    "written days": gapped(DAYS.map(lambda day: day.strftime("%d.%m.%Y"))).map(
        lambda cells: pd.Series(cells, dtype=object)
    ),
    "decimal commas": gapped(CENTS.map(lambda cents: f"{cents / 100:.2f}".replace(".", ","))).map(
        lambda cells: pd.Series(cells, dtype=object)
    ),
    "currency": gapped(CENTS.map(lambda cents: f"${cents / 100:,.2f}")).map(
        lambda cells: pd.Series(cells, dtype=object)
    ),
    "spaced": gapped(CENTS.map(lambda cents: f" {cents / 100} ")).map(
        lambda cells: pd.Series(cells, dtype=object)
    ),
    "codes": gapped(st.from_regex(r"0?[0-9]{3}", fullmatch=True)).map(
        lambda cells: pd.Series(cells, dtype=object)
    ),
    "numbers and words": gapped(
        st.sampled_from(
            [
                "1",
                "2.5",
                "-3",
                "NA",
                "?",
                "none",
                "1e3",
                "low",
                "nan",
                "True",
                "inf",
                "1,234.5",
                "$3",
                "12%",
                "2020-01-02",
                "007",
            ]
        )
    ).map(lambda cells: pd.Series(cells, dtype=object)),
}


def has_type(column):
    """Return whether a file can say what a column's values are: it has some, and no texts for truths."""
    if any(isinstance(value, bool) for value in column.dropna()):
        return True
    present = {str(value).strip() for value in column.dropna()} - {""}
    return bool(present) and not present <= {*TRUTH_WORDS}


def written(table, folder):
    """Return a table in memory, in a CSV file and in a Parquet file."""
    table.to_csv(folder / "t.csv", index=False)
    table.to_parquet(folder / "t.parquet")
    return table, folder / "t.csv", folder / "t.parquet"


def told(inputs):
    """Return inputs by column as lists, in which a missing number is None."""
    return {
        name: [None if value != value else value for value in values.tolist()]
        for name, values in inputs.items()
    }


def loaded(source):
    """Return what was read of a source, or in which words it was refused."""
    try:
        return load(source, target="y", **ALL)
    except InputError as error:
        return str(error).partition(": ")[2].partition("received")[0]


@pytest.mark.parametrize("kind", COLUMNS)
@settings(bounded)
@given(st.data())
def test_a_column_gives_the_same_inputs_from_every_source_and_in_every_form(kind, tmp_path_factory, data):
    column = data.draw(COLUMNS[kind].filter(has_type))
    table = pd.DataFrame({"c": column, "x": np.arange(ROWS) % 3 / 2, "y": ["u", "v"] * (ROWS // 2)})
    sources = written(table, tmp_path_factory.mktemp("table"))
    first, *others = map(loaded, sources)
    if isinstance(first, str):
        assert others == [first, first]
        return
    inputs, spec = told(first.train.inputs), first.spec
    for other in others:
        assert (told(other.train.inputs), other.fingerprint) == (inputs, first.fingerprint)
        # Where a file has numbers and memory their texts, no sign needs to be known.
        kinds = [[replace(one, decimal="") for one in data.spec.columns] for data in (first, other)]
        assert kinds[0] == kinds[1]
    bare = table.astype(object).where(table.notna(), None)[["c", "x"]]
    assert told(adapt_inputs(table, spec)) == inputs
    assert told(adapt_inputs(bare.to_dict("list"), spec)) == inputs
    assert told(read_inputs(sources[1], spec)) == inputs
    assert told(read_inputs(sources[2], spec)) == inputs
    sample = bare.iloc[-1].to_dict()
    assert told(adapt_inputs(sample, spec)) == {name: values[-1:] for name, values in inputs.items()}


@pytest.mark.parametrize("words", [("True", "False"), ("true", "false"), ("TRUE", "FALSE")])
def test_truth_values_of_a_file_may_come_as_texts_and_as_truth_values_to_a_model(tmp_path, words):
    table = pd.DataFrame({"c": [*words, words[0], None] * 2, "y": ["u", "v"] * 4})
    table.to_csv(tmp_path / "t.csv", index=False)
    spec = load(tmp_path / "t.csv", target="y", **ALL).spec
    expected = [1.0, 0.0, 1.0, None] * 2
    texts = [*words, words[0], None] * 2
    for values in (texts, table["c"], [None if text is None else text == words[0] for text in texts]):
        assert told(adapt_inputs({"c": values}, spec)) == {"c": expected}
    with pytest.raises(InputError, match="finite or missing numbers in column 'c', received 'perhaps'"):
        adapt_inputs({"c": ["perhaps"]}, spec)


@pytest.mark.parametrize("dtype", [object, "float64", "datetime64[ns]", "Int64"])
def test_a_column_without_a_value_is_read_from_every_source_and_said(tmp_path, dtype):
    empty = pd.Series([None] * ROWS, dtype=dtype)
    table = pd.DataFrame({"c": empty, "x": np.arange(ROWS) % 3 / 2, "y": ["u", "v"] * (ROWS // 2)})
    for source in written(table, tmp_path):
        data = load(source, target="y", **ALL)
        assert told(data.train.inputs)["c"] == [None] * ROWS
        assert "column 'c': all rows have the same value." in data.notes


series_of = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 400)), min_size=90, max_size=150, unique=True
).filter(lambda rows: min(sum(key == name for key, _ in rows) for name in "abc") >= 25)


@settings(bounded, max_examples=8)
@given(
    series_of,
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 6),
    st.sampled_from([0.0, 0.1, 0.35]),
    st.randoms(use_true_random=False),
)
def test_windows_of_several_series_have_no_target_in_two_parts_and_are_each_in_order(
    rows, history, horizon, test, validation, random
):
    test = test and max(test, horizon)
    # A value is its series and its moment.
    table = pd.DataFrame(
        [(key, moment, "abc".index(key) * 1000 + moment) for key, moment in rows],
        columns=["key", "when", "value"],
    )
    cut = {"history": history, "horizon": horizon, "test": test, "validation": validation}
    data = windows(table, column="value", time="when", series="key", **cut)
    parts = [part for part in (data.train, data.validation, data.test) if part is not None]
    assert len(parts) == 1 + (validation > 0) + (test > 0)
    targets = [set(part.targets.ravel().tolist()) for part in parts]
    for earlier, later in itertools.combinations(range(len(parts)), 2):
        assert not targets[earlier] & targets[later]
    for part in parts:
        whole = np.concatenate([part.inputs[..., 0], part.targets], axis=1)
        assert (whole // 1000 == whole[:, :1] // 1000).all()
    for number in range(3):
        ordered = sorted(table["value"][table["value"] // 1000 == number])
        ends = [[one for one in found if one // 1000 == number] for found in targets]
        assert all(max(before) < min(after) for before, after in itertools.pairwise(ends))
        for part in parts:  # each window is a stretch of its series
            for before, after in zip(part.inputs[..., 0], part.targets, strict=True):
                window = [*before, *after]
                if window[0] // 1000 == number:
                    place = ordered.index(window[0])
                    assert window == ordered[place : place + len(window)]
    shuffled = table.sample(frac=1, random_state=random.randrange(1000))
    again = windows(shuffled, column="value", time="when", series="key", **cut)
    assert again.fingerprint == data.fingerprint


@settings(bounded, max_examples=15)
@given(
    st.lists(
        st.sampled_from(["a", "b", " b", "c", "NA", "None", "1", "1.0", "\u00e9", ""]),
        min_size=24,
        max_size=60,
    ),
    st.floats(0.02, 0.6),
    st.floats(0.02, 0.6),
    st.integers(0, 5),
)
def test_parts_by_group_share_no_row_and_no_group_whatever_its_name(groups, validation, test, seed):
    table = pd.DataFrame({"row": np.arange(len(groups)) / 8, "g": groups, "y": np.arange(len(groups)) * 1.5})
    try:
        data = load(table, target="y", group="g", test=test, validation=validation, seed=seed)
    except InputError as error:
        refused = (
            "is missing" if "" in groups else f"3 groups or more to draw parts of, received {len({*groups})}"
        )
        if refused not in str(error):
            raise
        return
    parts = [
        [int(row * 8) for row in part.inputs["row"]] for part in (data.train, data.validation, data.test)
    ]
    assert sorted(itertools.chain(*parts)) == list(range(len(groups)))
    named = [{groups[row] for row in part} for part in parts]
    assert sum(map(len, named)) == len(set(groups))


@settings(bounded, max_examples=15)
@given(
    st.lists(
        st.datetimes(datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 4)), min_size=20, max_size=50
    ),
    st.floats(0.02, 0.5),
    st.floats(0.02, 0.5),
    st.sampled_from([0.0, 0.25]),
    st.sampled_from(["%Y-%m-%d %H:%M", "%Y%m%d", "%d.%m.%Y %H:%M:%S"]),
)
def test_parts_by_time_share_no_row_and_no_moment_and_keep_the_gap(moments, validation, test, gap, form):
    texts = [moment.strftime(form) for moment in moments]
    table = pd.DataFrame({"row": np.arange(len(texts)) / 8, "when": texts, "y": np.arange(len(texts)) * 1.5})
    options = {"test": test, "validation": validation, "gap": gap, "columns": {"when": "date"}}
    try:
        data = load(table, target="y", time="when", **options)
    except InputError as error:
        if "expected rows of several times" not in str(error):
            raise
        return
    parts = [
        [int(row * 8) for row in part.inputs["row"]] for part in (data.train, data.validation, data.test)
    ]
    rows = list(itertools.chain(*parts))
    assert len(set(rows)) == len(rows)
    assert gap or len(rows) == len(texts)
    days = [[datetime.datetime.strptime(texts[row], form) for row in part] for part in parts]
    for earlier, later in itertools.pairwise(days):
        assert max(earlier) < min(later)
        assert (min(later) - max(earlier)) / datetime.timedelta(days=1) > gap

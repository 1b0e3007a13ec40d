"""Columns of tables mean the same in a file and in memory, and what they are taken for is said."""

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.data import Column, load, windows
from kexp.data.adapters import adapt_inputs, read_inputs
from kexp.data.date_texts import date_format, seconds_of, written_dates

N = 60
RNG = np.random.default_rng(0)
ALL = {"validation": 0.0, "test": 0.0}


def frame(**columns):
    return pd.DataFrame({**columns, "y": ["yes", "no"] * (N // 2)})


def column(values, **options):
    """Return the column and its values, as they are learned from."""
    data = load(frame(other=np.arange(N) % 7, c=values), target="y", **ALL, **options)
    found = next(one for one in data.spec.columns if one.name == "c")
    return found, data.train.inputs["c"], data


def written(numbers, form):
    return [form(number) for number in numbers]


NUMBERS = np.round(RNG.normal(3000, 900, N), 2)
FORMS = {
    "currency before": lambda number: f"${number:,.2f}",
    "currency after": lambda number: f"{number:.2f} EUR",
    "per cent": lambda number: f"{number:.2f}%",
    "grouped thousands": lambda number: f"{number:,.2f}",
    "Swiss groups": lambda number: f"{number:,.2f}".replace(",", "'"),
    "decimal comma": lambda number: f"{number:.2f}".replace(".", ","),
    "German": lambda number: f"{number:,.2f}".translate(str.maketrans(",.", ".,")),
    "brackets for below zero": lambda number: f"({abs(number):.2f})" if number < 0 else f"{number:.2f}",
    "white space": lambda number: f"  {number:.2f} ",
    "scientific": lambda number: f"{number:.6e}",
}


@pytest.mark.parametrize("form", FORMS)
def test_numbers_are_numbers_however_they_are_written(form):
    numbers = NUMBERS - 2500 if form == "brackets for below zero" else NUMBERS
    found, values, data = column(written(numbers, FORMS[form]))
    assert found.kind == "number"
    np.testing.assert_allclose(values, numbers, rtol=1e-5)
    if form not in ("white space", "scientific"):
        assert any("numbers are written as" in note for note in data.notes)


@pytest.mark.parametrize("word", ["?", "n/a", "NA", "-", "unknown", "none", "not asked"])
def test_a_few_words_among_numbers_are_missing_values_and_said(word):
    texts = [str(number) for number in NUMBERS]
    texts[3] = texts[40] = word
    found, values, data = column(texts)
    assert found.kind == "number"
    assert np.flatnonzero(np.isnan(values)).tolist() == [3, 40]
    assert f"{word!r} among numbers stands for missing values, in 2 rows" in " ".join(data.notes)
    assert data.spec.column_facts[1].missing == 2
    raw = {"other": [1, 1], "c": [texts[0], word]}
    np.testing.assert_array_equal(adapt_inputs(raw, data.spec)["c"], np.float32([NUMBERS[0], np.nan]))


def test_many_words_among_numbers_are_categories_and_that_is_said_too():
    texts = [str(number) if row % 3 else f"room {row}" for row, number in enumerate(NUMBERS)]
    found, _, data = column([*texts[:-1], texts[0]])
    assert found.kind == "category"
    assert "are numbers, and others such as" in " ".join(data.notes)


@pytest.mark.parametrize("codes", [["00501", "10001"], ["007", "010"]])
def test_digits_that_begin_with_zero_are_codes(tmp_path, codes):
    frame(c=codes * (N // 2)).to_csv(tmp_path / "t.csv", index=False)
    data = load(tmp_path / "t.csv", target="y", **ALL)
    assert (data.spec.columns[0].kind, data.spec.columns[0].categories) == ("category", tuple(codes))


DATES = pd.date_range("2021-11-03", periods=N, freq="11D")


@pytest.mark.parametrize(
    "form",
    [
        *("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%d/%m/%Y %H:%M:%S"),
        *("%d %b %Y", "%b %d, %Y", "%d-%b-%y", "%d%b%Y", "%a, %d %b %Y %H:%M:%S %z", "%a %b %d %H:%M:%S %Y"),
        *("%m/%d/%Y %I:%M %p", "%b %d, %Y %I:%M:%S%p", "%Y-%m-%dT%H:%M:%S%z", "%d/%b/%Y:%H:%M:%S %z"),
    ],
)
def test_dates_become_features_of_time(form):
    texts = DATES.tz_localize("UTC").strftime(form).tolist()
    found, values, data = column(texts)
    assert (found.kind, found.date_format, values.tolist()) == ("date", form, texts)
    model = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
    named = {name: np.asarray(array) for name, array in data.train.inputs.items()}
    features = np.asarray(model({name: tensor(array) for name, array in named.items()}))[:, 1:]
    days = (DATES - DATES[0]).days.to_numpy()
    np.testing.assert_allclose(features[:, 0], (days - days.mean()) / days.std(), atol=1e-4)
    week = 2 * np.pi * DATES.day_of_week.to_numpy() / 7
    np.testing.assert_allclose(features[:, 3:5], np.stack([np.sin(week), np.cos(week)], 1), atol=1e-4)


@pytest.mark.parametrize(
    ("texts", "moments"),
    [
        (["3 January 2024", "14 FEB 2024", "1 sept. 2023"], ["2024-01-03", "2024-02-14", "2023-09-01"]),
        (["January 2024", "Feb 2024"], ["2024-01-01", "2024-02-01"]),
        (["1/2/2024 12:30 AM", "13/2/2024 12:30 pm"], ["2024-02-01 00:30", "2024-02-13 12:30"]),
        (["2024-01-01T00:30:00+02:00", "2024-01-01T00:00:00Z"], ["2023-12-31 22:30", "2024-01-01"]),
        (["2024-01-01 00:30:00-0330", "2024-01-01 00:00:00+0545"], ["2024-01-01 04:00", "2023-12-31 18:15"]),
        (["2024-01-01T08:30:00.250Z", "2024-01-01T09:00:00Z"], ["2024-01-01 08:30", "2024-01-01 09:00"]),
    ],
)
def test_dates_mean_the_same_moments_in_splits_by_time_and_in_models(texts, moments):
    found = date_format(texts)
    expected = np.array(moments, "datetime64[s]").astype(np.float64)
    np.testing.assert_array_equal(seconds_of(texts, found), expected)
    layer = kexp.models.tabular_preprocessing(
        {"c": np.array(texts, object)}, [Column("c", "date", date_format=found)]
    )
    days = np.asarray(layer({"c": tensor(np.array(texts, object))}))[:, 0]
    np.testing.assert_allclose(days, (expected - expected.mean()) / expected.std(), atol=1e-5)


def test_names_of_months_are_english_in_any_language_of_the_machine():
    texts = written_dates(pd.Series(DATES), "%a %d %b %Y")
    assert (texts[0], date_format(texts)) == ("Wed 03 Nov 2021", "%a %d %b %Y")


@pytest.mark.parametrize(
    "texts", [["3 Jan 2024", "2024-02-03"], ["3 Jan 2024", "Feb 4, 2024"], ["3rd Jan 2024", "4th Jan 2024"]]
)
def test_dates_in_no_format_or_in_several_are_refused_with_what_is_known(texts):
    with pytest.raises(
        InputError, match=r"expected dates in one format, such as .* 3 Jan 2024, in column 'c'"
    ):
        column(texts * (N // len(texts)))


@pytest.mark.parametrize(
    ("form", "said"), [("%m/%d/%Y", "month first"), ("%d.%m.%y %H:%M", "day first"), ("%d %b %Y", None)]
)
def test_dates_whose_day_could_be_their_month_are_said_with_what_was_taken(form, said):
    days = pd.to_datetime([f"2024-{row % 12 + 1}-{row // 12 + 1}" for row in range(N)])
    texts = days.strftime(form).tolist()
    table = frame(c=texts, value=np.arange(N))
    notes = [column(texts)[2].notes, windows(table, column="value", history=2, test=4, time="c").notes]
    for found in notes:
        assert (f"column 'c': dates such as {texts[0]!r} are taken {said}." in found) == (said is not None)


def tensor(array):
    import tensorflow as tf

    return tf.constant(array.tolist()) if array.dtype == object else tf.constant(array)


def test_a_date_may_come_as_a_time_of_pandas_and_is_refused_in_another_format():
    _, _, data = column(DATES.strftime("%d.%m.%Y").tolist())
    for zone in (None, "UTC", "Asia/Tokyo"):
        moments = pd.Series(DATES[:1] + pd.Timedelta(hours=20)).dt.tz_localize("UTC").dt.tz_convert(zone)
        assert adapt_inputs({"other": [1], "c": moments}, data.spec)["c"].tolist() == ["03.11.2021"]
    with pytest.raises(InputError, match=r"must be dates as %d\.%m\.%Y, like those of training"):
        adapt_inputs({"other": [1], "c": ["2021-11-03"]}, data.spec)


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index"])
def test_a_column_that_counts_the_rows_of_a_sorted_table_is_no_input(tmp_path, name):
    table = pd.DataFrame({"x": RNG.normal(size=N), "y": ["a"] * 30 + ["b"] * 30})
    table.to_csv(tmp_path / "t.csv", index_label=name)
    data = load(tmp_path / "t.csv", target="y")
    assert [one.name for one in data.spec.columns] == ["x"]
    assert "is no input: it counts the rows" in data.notes[0]
    assert read_inputs(tmp_path / "t.csv", data.spec).keys() == {"x"}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("customer_id", RNG.permutation(10_000)[:N]),
        ("key", [f"K{number:05}" for number in RNG.permutation(N)]),
    ],
)
def test_ids_are_no_inputs_unless_their_owner_says_so(name, values):
    table = frame(x=RNG.normal(size=N), **{name: values})
    assert [one.name for one in load(table, target="y").spec.columns] == ["x"]
    kind = "number" if name == "customer_id" else "category"
    said = load(table, target="y", columns={name: kind})
    assert [one.name for one in said.spec.columns] == ["x", name]


def test_an_unnamed_column_of_whole_numbers_that_all_differ_is_no_input_in_any_order(tmp_path):
    table = frame(x=RNG.normal(size=N)).sample(frac=0.7, random_state=0)
    table.to_csv(tmp_path / "t.csv")
    assert [one.name for one in load(tmp_path / "t.csv", target="y").spec.columns] == ["x"]


def test_a_number_that_stands_for_missing_values_can_be_named():
    values = RNG.normal(size=N).round(3)
    values[[2, 9]] = -999
    found, read, data = column(values, missing="-999")
    assert np.flatnonzero(np.isnan(read)).tolist() == [2, 9]
    assert found.missing_words == ("-999",)
    adapted = adapt_inputs({"other": [1, 1], "c": [-999, 0.5]}, data.spec)["c"]
    np.testing.assert_array_equal(adapted, np.float32([np.nan, 0.5]))


def test_words_for_missing_values_among_dates_are_said():
    texts = DATES.strftime("%d.%m.%Y").tolist()
    texts[4] = "n/a"
    found, read, data = column(texts)
    assert (found.kind, read[4], found.has_missing) == ("date", "", True)
    assert "'n/a' among dates stands for missing values" in " ".join(data.notes)


def test_labels_that_differ_in_white_space_are_one():
    table = pd.DataFrame({"x": RNG.normal(size=N), "y": ["yes", "no ", " yes", "no"] * (N // 4)})
    assert load(table, target="y").spec.class_names == ("no", "yes")


def test_a_word_for_missing_values_is_the_same_category_in_a_file_and_in_memory(tmp_path):
    table = frame(zone=["NA", "EU", "AS"] * (N // 3), x=RNG.normal(size=N))
    table.to_csv(tmp_path / "t.csv", index=False)
    by_file, by_memory = load(tmp_path / "t.csv", target="y"), load(table, target="y")
    assert by_file.train.inputs["zone"].tolist() == by_memory.train.inputs["zone"].tolist()
    assert by_file.spec.columns[0].categories == ("AS", "EU", "NA")
    # Where training had no such category, the word stands for a missing value.
    without = load(table.replace({"zone": {"NA": None}}), target="y")
    assert adapt_inputs({"zone": ["NA", "EU"], "x": [0, 0]}, without.spec)["zone"].tolist() == ["", "EU"]


@pytest.mark.parametrize(
    "values",
    [
        1_700_000_000_000 + np.arange(N) * 7,
        2**40 + np.arange(N),
        1e9 + np.arange(N) / 8,
        [str(2**33 + row) for row in range(N)],
        123_456 + np.arange(N) / 1000,
    ],
    ids=["epoch milliseconds", "large whole numbers", "fractions", "texts", "fine steps"],
)
def test_numbers_that_float32_would_merge_stay_apart_up_to_the_network(values):
    found, read, data = column(values, columns={"c": "number"})
    assert (found.dtype, np.unique(read).size) == ("float64", N)
    model = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
    features = np.asarray(model({name: tensor(array) for name, array in data.train.inputs.items()}))
    exact = np.asarray(values, np.float64)
    np.testing.assert_allclose(features[:, 1], (exact - exact.mean()) / exact.std(), atol=1e-5)


@pytest.mark.parametrize(("separator", "name"), [(";", "';'"), ("\t", "tabs"), ("|", "'|'")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_separators_are_found_out_and_said(tmp_path, separator, name, encoding):
    table = frame(a=np.arange(N) % 5, b=["Zoë", "Jo"] * (N // 2))
    table.to_csv(tmp_path / "t.csv", index=False, sep=separator, encoding=encoding)
    data = load(tmp_path / "t.csv", target="y")
    assert data.train.inputs["b"][0] in ("Zoë", "Jo")
    assert f"columns are separated by {name}." in data.notes


def test_an_encoding_and_a_file_without_names_can_be_said(tmp_path):
    frame(b=["Zoë", "Jo"] * (N // 2)).to_csv(
        tmp_path / "t.csv", index=False, header=False, encoding="latin-1"
    )
    with pytest.raises(InputError, match=r"say what it is in, such as encoding='latin-1'"):
        load(tmp_path / "t.csv", target="column 2", header=False)
    data = load(tmp_path / "t.csv", target="column 2", header=False, encoding="latin-1")
    assert data.spec.columns[0].categories == ("Jo", "Zoë")
    pd.DataFrame(RNG.normal(size=(N, 3))).to_csv(tmp_path / "numbers.csv", index=False, header=False)
    found = load(tmp_path / "numbers.csv", target="column 3")
    assert len(found.train) + len(found.validation) + len(found.test) == N
    assert "the first line has numbers and no names" in " ".join(found.notes)


def test_a_separator_of_labels_is_not_one_of_columns(tmp_path):
    table = pd.DataFrame({"x": RNG.normal(size=N), "tags": ["red;round", "red", "round"] * (N // 3)})
    table.to_csv(tmp_path / "t.csv", index=False)
    assert load(tmp_path / "t.csv", target="tags", separator=";").spec.class_names == ("red", "round")
    table.to_csv(tmp_path / "s.csv", index=False, sep="|")
    assert load(tmp_path / "s.csv", target="tags", separator="|").spec.outputs == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": {"zip": "category"}}, "columns names 'zip', and there is no such column"),
        ({"columns": {"c": "categry"}}, r"did you mean 'category'"),
        ({"columns": {"c": "date"}}, "expected dates in one format, such as .* in column 'c'"),
        ({"group": "shop"}, "there is no column group='shop'"),
        ({"group": "y"}, "cannot be two of target, group and weight"),
        ({"split": "group"}, "split='group': expected the column group= that it goes by"),
        ({"group": "c", "time": "other"}, "expected 'group' or 'time' where both columns are named"),
        ({"gap": 3}, "only a split by time has a gap"),
        ({"time": "c"}, "time='c' must be a column of dates or numbers"),
        ({"weight": "c"}, "the weight 'c' must be numbers of 0 or more"),
        ({"decimal": ";"}, "decimal=';': expected '.' or ','"),
        ({"header": "yes"}, "header='yes': expected True or False"),
        ({"seperator": ";"}, "seperator is no argument of kexp.data.load .*did you mean 'separator'"),
    ],
)
def test_what_cannot_be_said_of_a_table_is_one_sentence(options, words):
    table = frame(other=np.arange(N) % 7, c=["a", "b", "c"] * (N // 3))
    with pytest.raises(InputError, match=words) as error:
        load(table, target="y", **options)
    assert "\n" not in str(error.value)

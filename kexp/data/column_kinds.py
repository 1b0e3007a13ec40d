"""The kinds of columns: what a column of a table is, by its values or because its owner says so."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.date_texts import date_format, is_ambiguous, looks_like_dates, seconds_of, written_dates
from kexp.data.merging_numbers import distinct_numbers, merges
from kexp.data.number_texts import NumberFormat, is_missing_word, number_format, numbers_of
from kexp.data.plain_arrays import floats_of
from kexp.data.strings import as_categories
from kexp.data.table_columns import Column, ColumnFacts
from kexp.data.table_options import TableOptions

if TYPE_CHECKING:
    import pandas as pd

_MOST_STRANGE = 0.1  # share of words among numbers up to which they stand for missing values
_MOST_STRANGE_WORDS = 5  # different ones
_FEWEST_IDS = 20  # rows from which values that are all different can be ids
_FEWEST_COUNTED = 5  # rows from which a column without a name can be one that counts them
_ID = re.compile(
    r"(?i:(^|[\W_])(id|ids|uid|uuid|guid|index|idx|key|rowid|rownum|row)($|[\W_]))|[a-z](Id|ID|Key)$"
)
_UNNAMED = re.compile(r"(Unnamed: \d+|index|level_\d+)?$")
_EXAMPLES = 4
_LIKE = "in one format, such as 2024-01-03, 1/3/2024 5:30 PM or 3 Jan 2024,"
_CODE = re.compile(r"0\d+$")  # such as 00501, whose digits are no number


@dataclass(frozen=True)
class ReadColumn:
    """A column that was read.

    Attributes:
        column: What it is to a model; None: no input.
        values: (samples,) numbers, or str objects with "" for what is missing.
        facts: What was found in it.
    """

    column: Column | None
    values: np.ndarray
    facts: ColumnFacts


def read_column(place: str, name: str, series: pd.Series, options: TableOptions) -> ReadColumn:
    """Return a column as a model takes it.

    Args:
        place: The data, for messages.
        name: Of the column.
        series: Its values.
        options: Of the table, which may say what the column is.

    Raises:
        InputError: Its values are none that a model could take, or not of the kind that was asked for.

    Example:
        >>> import pandas as pd
        >>> read = read_column("data", "pay", pd.Series(["$31.20", "?", "$4", "$5"] * 9), TableOptions())
        >>> read.column.kind, read.values[:2].tolist(), read.facts.missing
        ('number', [31.200000762939453, nan], 9)
    """
    asked = options.columns.get(name)
    if asked == "ignore":
        return ReadColumn(None, np.zeros(len(series)), facts_of_column(name, "ignored", series))
    dtype = _storage(place, name, series)
    if dtype == "date" and asked is None and not series.notna().any():
        dtype, series = "number", series.astype(object)  # as of a column of a file that is empty
    if dtype == "date" or asked == "date":
        return _dates(place, name, _date_texts(f"{place}: column {shown(name)}", series), options)
    if dtype in ("number", "bool") and asked != "category":
        wide = without(floats_of(series), options.missing)
        facts = facts_of_column(name, "number", series)
        return _numbers(name, wide, facts, "", options.missing, asked=asked)
    if asked == "category" or dtype == "category":
        texts, _ = stripped(f"{place}: column {shown(name)}", series, options.missing)
        return _categories(texts, facts_of_column(name, "category", series), options)
    return _texts(place, name, series, options, asked=asked)


def without(numbers: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """Return (samples,) numbers with NaN for those that words say, such as "-999".

    Example:
        >>> without(np.array([1.0, -999.0]), ("-999", "?")).tolist()
        [1.0, nan]
    """
    known = numbers_of(list(words), NumberFormat())
    return np.where(np.isin(numbers, known[np.isfinite(known)]), np.nan, numbers)


def _storage(place: str, name: str, series: pd.Series) -> str:
    """Return "number", "bool", "category", "date" or "text" by how the values are stored."""
    from pandas.api import types

    dtype = series.dtype
    if isinstance(dtype, types.CategoricalDtype):
        among = types.infer_dtype(dtype.categories)
        if among.startswith("mixed") and among != "mixed-integer-float":
            raise _refusal(place, name, f"categories of several types ({among})")
        return "category"
    if types.is_bool_dtype(dtype):
        return "bool"
    if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype):
        return "number"
    if types.is_string_dtype(dtype) and not types.is_object_dtype(dtype):
        return "text"
    inferred = types.infer_dtype(series, skipna=True) if types.is_object_dtype(dtype) else str(dtype)
    if inferred.startswith(("datetime64", "datetime", "date")):
        return "date"
    if inferred in _OBJECTS:
        return _OBJECTS[inferred]
    raise _refusal(place, name, inferred)


# What pandas infers of the values of an object column, missing ones aside.
_OBJECTS = {
    "string": "text",
    "mixed-integer": "text",  # numbers and words
    "mixed": "text",
    "boolean": "bool",
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "empty": "number",
}


def _refusal(place: str, name: str, received: str) -> InputError:
    return InputError(
        f"{place}: expected numbers, categories or dates in column {shown(name)}, received {received}; "
        f"convert it to numbers or to text, or leave it out by columns={{{shown(name)}: 'ignore'}}."
    )


def _texts(
    place: str, name: str, series: pd.Series, options: TableOptions, *, asked: str | None
) -> ReadColumn:
    """Return a column of texts as what they are: numbers, dates, categories or ids."""
    from pandas.api import types

    if types.is_object_dtype(series.dtype) and not all(map(_is_writable, series[series.notna()])):
        raise _refusal(place, name, types.infer_dtype(series, skipna=True))
    texts, trimmed = stripped(f"{place}: column {shown(name)}", series, options.missing)
    present = [text for text in texts if text]
    notes = (f"white space around values is left out, such as of {shown(trimmed)}.",) if trimmed else ()
    if asked == "number" or (present and asked is None):
        form = _format(present, options)
        numbers = numbers_of(texts, form)
        unread = np.flatnonzero(np.isnan(numbers)).tolist()
        strange = dict.fromkeys(sorted({texts[row] for row in unread} - {""}))
        if asked == "number" or _are_numbers(present, numbers, strange):
            facts = _facts_of_texts(name, "number", ["" if text in strange else text for text in texts])
            said = (*notes, *_number_notes(name, present, numbers, strange, form))
            words = (*options.missing, *strange)
            return _numbers(name, numbers, replace(facts, notes=said), form.decimal, words, asked=asked)
        notes = (*notes, *_why_no_numbers(name, present, strange))
    unknown = set(filter(is_missing_word, {*texts})) - {""}
    found = None if asked else date_format([text for text in present if text not in unknown])
    if found is not None:
        dated = ["" if text in unknown else text for text in texts]
        return _dates(place, name, dated, options, found=found, words=unknown)
    if looks_like_dates(present) and asked is None:
        raise InputError(
            f"{place}: expected dates {_LIKE} in column {shown(name)}, received "
            f"{shown(present[0])}; convert it, or say what it is by columns={{{shown(name)}: 'ignore'}}, or "
            "'category'."
        )
    facts = _facts_of_texts(name, "category", texts)
    read = _categories(texts, replace(facts, notes=(*notes, *facts.notes)), options)
    if asked is None and _are_ids(name, present, len(texts)):
        why = (
            f"each of its {len(present)} values is another one, as of an id; "
            f"columns={{{shown(name)}: 'category'}} takes it."
        )
        return replace(
            read, column=None, facts=replace(read.facts, kind="id", notes=(*read.facts.notes, why))
        )
    return read


def stripped(place: str, series: pd.Series, missing: Sequence[str] = ()) -> tuple[list[str], str | None]:
    """Return the texts of a column without white space around them, and one that had some.

    A missing one is "".

    Args:
        place: The column, for messages.
        series: Its values.
        missing: Words that stand for a missing value.

    Raises:
        InputError: UTF-8 or NumPy cannot keep one.
    """
    raw = as_categories(place, series).tolist()
    bare = [text.strip() for text in raw]
    trimmed = next((text for text, short in zip(raw, bare, strict=True) if text != short and short), None)
    return ["" if text in missing else text for text in bare], trimmed


def _is_writable(value: object) -> bool:
    """Return whether a value among texts is a text, or a number that can be written as one."""
    return isinstance(value, str | int | float | np.number) and not isinstance(value, bool)


def _format(present: Sequence[str], options: TableOptions) -> NumberFormat:
    if options.decimal is None:
        return number_format(present)
    other = "." if options.decimal == "," else ","
    return NumberFormat(options.decimal, other if options.thousands is None else options.thousands)


def _are_numbers(present: Sequence[str], numbers: np.ndarray, strange: Collection[str]) -> bool:
    """Return whether texts are numbers, but for a few words that can only stand for missing values."""
    known = [word for word in strange if is_missing_word(word)]
    others = set(strange) - set(known)
    found = int((~np.isnan(numbers)).sum())
    if found < 2 and len(present) > 2:
        return False
    if any(map(_CODE.match, present)):
        return False
    count = sum(text in others for text in present)
    few = len(others) <= _MOST_STRANGE_WORDS and count <= _MOST_STRANGE * len(present)
    return found > 0 and (not others or (few and not any(map(_has_digit, others))))


def _why_no_numbers(name: str, present: Sequence[str], strange: Collection[str]) -> list[str]:
    """Return what is to be said of texts many of which are numbers, and which are taken for categories."""
    code = next(filter(_CODE.match, present), None)
    share = 1 - sum(text in strange for text in present) / len(present)
    if share <= 0.5:
        return []
    if code is not None:
        return [
            f"digits that begin with zero, such as {shown(code)}, are codes and so categories; "
            f"columns={{{shown(name)}: 'number'}} makes numbers of them."
        ]
    if not strange:
        return []
    other = shown(next(iter(strange)))
    return [
        f"{share:.0%} of its values are numbers, and others such as {other} are not, so all are categories; "
        f"columns={{{shown(name)}: 'number'}} makes the others missing."
    ]


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _number_notes(
    name: str, present: Sequence[str], numbers: np.ndarray, strange: Collection[str], form: NumberFormat
) -> list[str]:
    notes = []
    if strange:
        count = sum(text in strange for text in present)
        words = ", ".join(map(shown, islice(strange, _EXAMPLES)))
        notes.append(
            f"{words} among numbers {'stands' if len(strange) == 1 else 'stand'} for missing values, in "
            f"{count} rows; columns={{{shown(name)}: 'category'}} makes categories of all."
        )
    written = next((text for text in present if not _is_plain(text) and text not in strange), None)
    if written is not None:
        notes.append(f"numbers are written as {shown(written)} is: {form.number(written):g}.")
    return notes


def _is_plain(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(
    name: str, wide: np.ndarray, facts: ColumnFacts, decimal: str, words: Sequence[str], *, asked: str | None
) -> ReadColumn:
    """Return a column of float64 numbers in the type that keeps them apart."""
    dtype: Literal["float32", "float64"] = "float64" if _merges(wide) else "float32"
    missing = int(np.isnan(wide).sum())
    column = Column(name, "number", dtype=dtype, decimal=decimal, missing_words=tuple(words))
    facts = replace(facts, missing=missing)
    if asked is None and _counts_rows(name, wide):
        why = f"it counts the rows; columns={{{shown(name)}: 'number'}} takes it."
        return ReadColumn(None, wide, replace(facts, kind="id", notes=(*facts.notes, why)))
    with np.errstate(over="ignore"):
        return ReadColumn(column, wide.astype(dtype), facts)


def _merges(wide: np.ndarray) -> bool:
    """Return whether float32 would make one of several numbers."""
    known = wide[np.isfinite(wide)]
    if not known.size or np.abs(known).max() > np.finfo(np.float32).max:
        return False
    distinct, narrow = distinct_numbers(known[:, None])
    return bool(merges(distinct, narrow)[0])


def _counts_rows(name: str, wide: np.ndarray) -> bool:
    """Return whether a column without a name, or with that of an id, has another whole number in each row."""
    unnamed = bool(_UNNAMED.match(name))
    if not unnamed and not _ID.search(name):
        return False
    if len(wide) < _FEWEST_COUNTED or np.isnan(wide).any() or (wide != np.round(wide)).any():
        return False
    if unnamed and (np.diff(wide) == 1).all():
        return True
    return len(wide) >= _FEWEST_IDS and np.unique(wide).size == len(wide)


def _are_ids(name: str, present: Sequence[str], rows: int) -> bool:
    return rows >= _FEWEST_IDS and len(present) == rows and len(set(present)) == rows


def _categories(texts: Sequence[str], facts: ColumnFacts, options: TableOptions) -> ReadColumn:
    column = Column(facts.name, "category", missing_words=options.missing)
    return ReadColumn(column, np.array(texts, dtype=object), facts)


def _date_texts(place: str, series: pd.Series) -> list[str]:
    """Return dates as texts, those of pandas in the format of ISO 8601."""
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(series.dtype):
        inferred = pd.api.types.infer_dtype(series, skipna=True)
        if not inferred.startswith("date"):
            return stripped(place, series)[0]
        series = pd.to_datetime(series)
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    whole = bool((series.dropna() == series.dropna().dt.normalize()).all())
    return written_dates(series, "%Y-%m-%d" if whole else "%Y-%m-%d %H:%M:%S")


def _dates(
    place: str,
    name: str,
    texts: Sequence[str],
    options: TableOptions,
    *,
    found: str | None = None,
    words: Collection[str] = (),
) -> ReadColumn:
    texts = ["" if text in options.missing else text for text in texts]
    present = [text for text in texts if text]
    form = found or date_format(present)
    if form is None:
        raise InputError(
            f"{place}: expected dates {_LIKE} in column {shown(name)}, received "
            f"{', '.join(map(shown, present[:3])) or 'none'}; convert it, or leave it out by "
            f"columns={{{shown(name)}: 'ignore'}}."
        )
    facts = _facts_of_texts(name, "date", texts)
    notes = list(facts.notes)
    if words:
        notes.append(f"{', '.join(map(shown, sorted(words)))} among dates stands for missing values.")
    if is_ambiguous(present, form):
        order = "day first" if form.startswith("%d") else "month first"
        notes.append(f"dates such as {shown(present[0])} are taken {order}.")
    facts = replace(facts, notes=tuple(notes))
    column = Column(name, "date", date_format=form, missing_words=options.missing)
    return ReadColumn(column, np.array(texts, dtype=object), facts)


def facts_of_column(name: str, kind: str, series: pd.Series) -> ColumnFacts:
    """Return what there is to say of the values of a column."""
    present = series[series.notna()]
    hashable = present.map(str) if present.dtype == object else present
    distinct = int(hashable.nunique())
    notes = ("all rows have the same value.",) if distinct <= 1 and len(series) > 1 else ()
    examples = tuple(_short(value) for value in hashable.unique()[:_EXAMPLES])
    return ColumnFacts(name, kind, distinct, int(series.isna().sum()), examples, notes)


def _facts_of_texts(name: str, kind: str, texts: Sequence[str]) -> ColumnFacts:
    import pandas as pd

    return facts_of_column(name, kind, pd.Series([text or None for text in texts], dtype=object))


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float | np.floating) else str(value)
    return text if len(text) <= 30 else f"{text[:29]}…"


@dataclass(frozen=True)
class OrderedTimes:
    """Times that rows go by.

    Attributes:
        values: (samples,) float64, seconds of dates, or numbers.
        column: How they are written.
        notes: What is to be said of how dates were read.
    """

    values: np.ndarray
    column: Column
    notes: tuple[str, ...] = ()


def ordered_times(
    place: str, name: str, series: pd.Series, options: TableOptions, written: Column | None = None
) -> OrderedTimes:
    """Return the times that rows go by.

    Args:
        place: The data, for messages.
        name: Of the column.
        series: Its values.
        options: Of the table.
        written: How those of the training part are, where these are of another; None: found out.

    Raises:
        InputError: The column has neither dates nor numbers, or others than those of the training part.
    """
    if written is not None and written.kind == "date":
        texts = dates_as(written, f"{place}: column {shown(name)}", series)
        return OrderedTimes(seconds_of(texts.tolist(), written.date_format), written)
    kinds = {one: kind for one, kind in options.columns.items() if one == name and kind == "date"}
    read = read_column(place, name, series, replace(options, columns=kinds))
    if read.column is not None and read.column.kind == "date":
        seconds = seconds_of(read.values.tolist(), read.column.date_format)
        return OrderedTimes(seconds, read.column, read.facts.notes)
    if read.values.dtype == object:
        raise InputError(
            f"{place}: time={name!r} must be a column of dates or numbers; received {shown(read.values[0])}."
        )
    times = floats_of(series) if series.dtype.kind in "iuf" else read.values.astype(np.float64)
    return OrderedTimes(times, Column(name, "number"))


def dates_as(column: Column, place: str, series: pd.Series) -> np.ndarray:
    """Return (samples,) str objects of dates in the format of a column, "" for missing ones.

    Raises:
        InputError: One is no date in that format.
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(series.dtype) or pd.api.types.infer_dtype(
        series, skipna=True
    ).startswith("date"):
        texts = written_dates(pd.to_datetime(series), column.date_format)
    else:
        texts = stripped(place, series, column.missing_words)[0]
    wrong = [
        text
        for text, moment in zip(texts, seconds_of(texts, column.date_format), strict=True)
        if text and np.isnan(moment) and not is_missing_word(text)
    ]
    if wrong:
        raise InputError(
            f"{place} must be dates as {column.date_format}, like those of training; received "
            f"{shown(wrong[0])}."
        )
    return np.array(["" if is_missing_word(text) else text for text in texts], dtype=object)

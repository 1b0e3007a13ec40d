"""Tables: a DataFrame, a CSV file or a Parquet file, with numbers and categories, or a column of text."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.data.dataset import Column, Source, column_name
from kexp.data.plain_arrays import floats_of
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions, Target
from kexp.data.sources.table_files import read_csv, read_parquet, require_columns
from kexp.data.strings import as_categories, as_text
from kexp.data.targets import target_kinds

if TYPE_CHECKING:
    import pandas as pd

MOST_INTEGER_CLASSES = 20
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?\s*$")
MOSTLY = 0.95  # share of dates from which a text column is taken for dates

Kind = Literal["number", "bool", "category"]
# What pandas infers of the values of an object column, missing ones aside.
OBJECTS: dict[str, Kind] = {
    "string": "category",
    "boolean": "bool",
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "empty": "number",
}


class CsvFile(DataSource):
    """A comma-separated file with a header."""

    name: ClassVar[str] = "csv"
    description: ClassVar[str] = "table in a CSV file"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".csv.gz")
    has_columns: ClassVar[bool] = True
    gives_way: ClassVar[bool] = True

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        # What is text is taken to the letter, be it an input or a target.
        verbatim = options.task is not None and target_kinds()[options.task].is_verbatim
        one = options.target if isinstance(options.target, str) and (verbatim or options.separator) else None
        letters = [column for column in (options.text, one) if column]
        return _of_frame(read_csv(place.path, text=letters), place.name, options)


class ParquetFile(DataSource):
    """A Parquet file."""

    name: ClassVar[str] = "parquet"
    description: ClassVar[str] = "table in a Parquet file"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)
    has_columns: ClassVar[bool] = True
    gives_way: ClassVar[bool] = True

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        return _of_frame(read_parquet(place.path), place.name, options)


class DataFrames(DataSource):
    """A pandas DataFrame in memory."""

    name: ClassVar[str] = "frame"
    has_columns: ClassVar[bool] = True

    def accepts(self, value: object) -> bool:
        pandas = sys.modules.get("pandas")  # who has a DataFrame has imported it
        return pandas is not None and isinstance(value, pandas.DataFrame)

    def take(self, value: Any, options: ReadOptions) -> Source:
        return _of_frame(value, "DataFrame", options)


def _of_frame(frame: pd.DataFrame, name: str, options: ReadOptions) -> Source:
    separated = bool(options.separator)
    return from_frame(frame, name, options.target, options.task, options.text, separated=separated)


def from_frame(
    frame: pd.DataFrame,
    name: str,
    target: Target | None,
    task: str | None,
    text: str | None = None,
    *,
    separated: bool = False,
) -> Source:
    """Turn a DataFrame into columns of numbers and categories, or one of text, and the targets.

    Args:
        frame: A row per sample; it is left as it is.
        name: Name of the data, for messages.
        target: Name of the column to predict, or of several, whose targets are (samples, columns).
        task: None to read it off the target: text, truth values and at most 20 whole numbers are
            classes, other numbers are quantities. For "text" it is taken as it is.
        text: Name of the column that is the only input, the others being left out; default: all are.
        separated: The target column has texts that hold several labels each.

    Returns:
        The inputs by column, (samples,) each, in the order of the frame; or the (samples,) texts.

    Raises:
        InputError: For a target that is absent or has gaps, and for columns that are neither
            numbers nor categories.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [31, None], "town": ["Bonn", "Graz"], "ill": [True, False]})
        >>> from_frame(frame, "patients", target="ill", task=None).columns
        (Column(name='age', kind='number'), Column(name='town', kind='category'))
    """
    names = [column_name(column) for column in frame.columns]
    require_columns(f"data {name!r}", names)
    several = isinstance(target, tuple) and column_name(target) not in names  # as pandas may call one column
    positions = [_position(name, names, one) for one in (target if several else (target,))]  # type: ignore
    if not len(frame):
        raise InputError(f"data {name!r}: expected a row per sample, received column names only; add rows.")
    if len(names) <= len(positions):
        raise InputError(
            f"data {name!r}: expected columns besides the target {shown(target)}, received none."
        )
    chosen = [(names[position], frame.iloc[:, position]) for position in positions]
    targets = (
        _number_columns(name, chosen) if several else _targets(name, *chosen[0], task, separated=separated)
    )
    named = tuple(names[position] for position in positions)
    described = Source(
        name,
        {},
        class_names=named if several else (),
        target=", ".join(named),
        target_names=named if several else (),
    )
    if text is not None:
        read, texts = _text(frame, name, names, positions, text)
        return replace(described, parts={"train": (texts, targets)}, columns=(read,))
    inputs, columns = {}, []
    for index, (column, (_, series)) in enumerate(zip(names, frame.items(), strict=True)):
        if index not in positions:
            kind, inputs[column] = _convert(name, column, series)
            columns.append(Column(column, "category" if kind == "category" else "number"))
    return replace(described, parts={"train": (inputs, targets)}, columns=tuple(columns))


def _text(
    frame: pd.DataFrame, name: str, names: Sequence[str], targets: Sequence[int], text: str
) -> tuple[Column, np.ndarray]:
    position = _position(name, names, text, "text")
    if position in targets:
        raise InputError(
            f"data {name!r}: text={shown(text)} is the target too, expected another column; name the one to "
            "read."
        )
    texts = as_text(f"data {name!r}: the column {shown(text)}", frame.iloc[:, position])
    return Column(names[position], "text"), texts


def _position(name: str, names: Sequence[str], wanted: str | None, argument: str = "target") -> int:
    columns = ", ".join(map(shown, names[:30])) + (", …" if len(names) > 30 else "")
    if wanted is None:
        raise InputError(f"data {name!r}: a table needs target=, the column to predict; it has {columns}.")
    wanted = column_name(wanted)
    if wanted not in names:
        hint = "; columns are expected to be separated by commas" if len(names) == 1 else ""
        raise InputError(
            f"data {name!r}: there is no column {argument}={shown(wanted)}{nearest(wanted, names)}; it has "
            f"{columns}{hint}."
        )
    return names.index(wanted)


def _kind(name: str, column: str, series: pd.Series) -> Kind:
    from pandas.api import types

    dtype = series.dtype
    if isinstance(dtype, types.CategoricalDtype):
        among = types.infer_dtype(dtype.categories)
        if among.startswith("mixed") and among != "mixed-integer-float":
            raise _refusal(name, column, f"categories of several types ({among})", dated=False)
        return "category"
    if types.is_bool_dtype(dtype):
        return "bool"
    if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype):
        return "number"
    if types.is_string_dtype(dtype) and not types.is_object_dtype(dtype):
        return "category"
    inferred = types.infer_dtype(series, skipna=True) if types.is_object_dtype(dtype) else str(dtype)
    if inferred not in OBJECTS:
        dated = any(word in inferred for word in ("date", "time", "period"))
        raise _refusal(name, column, inferred, dated)
    return OBJECTS[inferred]


def _refusal(name: str, column: str, received: str, dated: bool) -> InputError:
    advice = (
        "turn it into numbers, such as year, month or days since a date"
        if dated
        else "convert it to numbers or to text"
    )
    return InputError(
        f"data {name!r}: expected numbers or categories in column {shown(column)}, received {received}; "
        f"{advice}, or drop the column."
    )


def _convert(name: str, column: str, series: pd.Series) -> tuple[Kind, np.ndarray]:
    """One column as float32 numbers with NaN, or as str objects with "", for what is missing."""
    kind = _kind(name, column, series)
    if kind == "category":
        return kind, _categories(name, column, series)
    wide = floats_of(series)
    with np.errstate(over="ignore"):  # what does not fit is refused on the next lines, by its row
        numbers = wide.astype(np.float32)
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        raise InputError(
            f"data {name!r}: column {shown(column)} is infinite (in float32) in row {infinite[0] + 1} of "
            f"{len(numbers)}, expected finite or missing numbers; mend it or leave it empty."
        )
    return kind, numbers


def _categories(name: str, column: str, series: pd.Series) -> np.ndarray:
    values = as_categories(f"data {name!r}: column {shown(column)}", series)
    present = values[series.notna().to_numpy()]
    dates = sum(ISO_DATE.match(value) is not None for value in present)
    if dates and dates >= MOSTLY * len(present):
        raise _refusal(name, column, f"dates such as {shown(present[0])}", dated=True)
    return values


def _targets(
    name: str, column: str, series: pd.Series, task: str | None, *, separated: bool = False
) -> np.ndarray:
    """(samples,) float64 for regression, str objects for classes and texts, or lists of labels."""
    asked = None if task is None else target_kinds()[task]
    if separated or (asked is not None and asked.is_verbatim):
        return as_text(f"data {name!r}: the column {shown(column)}", series)
    _require_complete(name, column, series)
    lists = isinstance(series.iloc[0], list | tuple | set | frozenset | np.ndarray)
    if lists and (asked is None or asked.is_separable):
        return series.to_numpy(dtype=object)
    kind, values = _convert(name, column, series)
    if kind == "category":
        return values
    numbers = values == 1 if kind == "bool" else floats_of(series)
    whole = bool((numbers == np.round(numbers)).all())
    few = len(np.unique(numbers)) <= MOST_INTEGER_CLASSES
    implied = "classification" if kind == "bool" or (whole and few) else "regression"
    return (asked or target_kinds()[implied]).of_column(numbers)


def _number_columns(name: str, columns: Sequence[tuple[str, pd.Series]]) -> np.ndarray:
    """(samples, columns) float64 of several target columns, whole numbers where all are 0 or 1."""
    numbers = []
    for column, series in columns:
        _require_complete(name, column, series)
        kind, _ = _convert(name, column, series)
        if kind == "category":
            raise InputError(
                f"data {name!r}: several targets must be numbers, or 0 and 1 for labels; received text in "
                f"column {shown(column)}, so name that column alone or convert it."
            )
        numbers.append(floats_of(series))
    stacked = np.stack(numbers, axis=1)
    return stacked.astype(np.int64) if np.isin(stacked, (0, 1)).all() else stacked


def _require_complete(name: str, column: str, series: pd.Series) -> None:
    gaps = np.flatnonzero(series.isna().to_numpy())
    if len(gaps):
        raise InputError(
            f"data {name!r}: the target {shown(column)} is missing in {len(gaps)} rows, the first is row "
            f"{gaps[0] + 1} of {len(series)}; fill in those rows or drop them."
        )

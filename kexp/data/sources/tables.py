"""Tables: a DataFrame, a CSV file or a Parquet file, with numbers and categories, or a column of text."""

from __future__ import annotations

import csv
import gzip
import re
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from kexp.core.errors import InputError, nearest
from kexp.data.dataset import Column, Source, column_name
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions
from kexp.data.strings import as_text
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
        letters = [column for column in (options.text, options.target if verbatim else None) if column]
        frame = read_csv(place.path, text=letters)
        return from_frame(frame, place.name, options.target, options.task, options.text)


class ParquetFile(DataSource):
    """A Parquet file."""

    name: ClassVar[str] = "parquet"
    description: ClassVar[str] = "table in a Parquet file"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)
    has_columns: ClassVar[bool] = True
    gives_way: ClassVar[bool] = True

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        frame = read_parquet(place.path)
        return from_frame(frame, place.name, options.target, options.task, options.text)


class DataFrames(DataSource):
    """A pandas DataFrame in memory."""

    name: ClassVar[str] = "frame"
    has_columns: ClassVar[bool] = True

    def accepts(self, value: object) -> bool:
        pandas = sys.modules.get("pandas")  # who has a DataFrame has imported it
        return pandas is not None and isinstance(value, pandas.DataFrame)

    def take(self, value: Any, options: ReadOptions) -> Source:
        return from_frame(value, "DataFrame", options.target, options.task, options.text)


def read_csv(path: Path, categories: Sequence[str] = (), text: str | Sequence[str] = ()) -> pd.DataFrame:
    """Read a comma-separated file with a header, .gz or not; text stays text.

    Args:
        path: The file.
        categories: Columns of strings whatever they look like: left to itself, pandas turns the category
            "007" into the number 7 where a file holds nothing else.
        text: Column, or several, taken to the letter: there "NA" and "None" are words, not missing values.

    Raises:
        InputError: For an empty file, repeated names, rows of uneven length or other encodings than UTF-8.
    """
    import pandas as pd

    _require_header(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # longer rows are cut with a warning only
            frame = pd.read_csv(path, index_col=False, low_memory=False, dtype=dict.fromkeys(categories, str))
            for column in {text} if isinstance(text, str) else text:
                if column in frame.columns:
                    letters = pd.read_csv(path, usecols=[column], dtype=str, na_filter=False)
                    frame[column] = letters[column]
            return frame
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError, OSError, EOFError) as error:
        raise InputError(
            f"file {path}: cannot be read as comma-separated UTF-8 ({str(error).strip().rstrip('.')}); mend "
            f"or convert it."
        ) from None


def _require_header(path: Path) -> None:
    """Look at the names before pandas does, which renames repeated ones without a word."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as lines:
            header = next(csv.reader(lines), [])
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"file {path}: cannot be read as UTF-8 text ({error}); convert it.") from None
    if not header:
        raise InputError(
            f"file {path}: expected a line of column names and a row per sample, received nothing."
        )
    _require_unique(str(path), header)


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file.

    Raises:
        InputError: For a file that is none.
    """
    import pandas as pd

    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are among these
        raise InputError(
            f"file {path}: cannot be read as Parquet ({str(error).splitlines()[0]}); write it again."
        ) from None


def from_frame(
    frame: pd.DataFrame, name: str, target: str | None, task: str | None, text: str | None = None
) -> Source:
    """Turn a DataFrame into columns of numbers and categories, or one of text, and the targets.

    Args:
        frame: A row per sample; it is left as it is.
        name: Name of the data, for messages.
        target: Name of the column to predict.
        task: None to read it off the target: text, truth values and at most 20 whole numbers are
            classes, other numbers are quantities. For "text" it is taken as it is.
        text: Name of the column that is the only input, the others being left out; default: all are.

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
    _require_unique(name, names)
    position = _position(name, names, target)
    if not len(frame):
        raise InputError(f"data {name!r}: expected a row per sample, received column names only; add rows.")
    if len(names) < 2:
        raise InputError(f"data {name!r}: expected columns besides the target {target!r}, received none.")
    targets = _targets(name, names[position], frame.iloc[:, position], task)
    if text is not None:
        read, texts = _text(frame, name, names, position, text)
        return Source(name, {"train": (texts, targets)}, columns=(read,), target=names[position])
    inputs, columns = {}, []
    for index, column in enumerate(names):
        if index != position:
            kind, values = _convert(name, column, frame.iloc[:, index])
            inputs[column] = values
            columns.append(Column(column, "category" if kind == "category" else "number"))
    return Source(name, {"train": (inputs, targets)}, columns=tuple(columns), target=names[position])


def _text(
    frame: pd.DataFrame, name: str, names: Sequence[str], target: int, text: str
) -> tuple[Column, np.ndarray]:
    position = _position(name, names, text, "text")
    if position == target:
        raise InputError(
            f"data {name!r}: text={text!r} is the target too, expected another column; name the one to read."
        )
    texts = as_text(f"data {name!r}: the column {text!r}", frame.iloc[:, position])
    return Column(names[position], "text"), texts


def _require_unique(name: str, names: Sequence[str]) -> None:
    repeated = [column for column, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(
            f"data {name!r}: expected every column name once, received {repeated[0]!r} "
            f"more than once; rename one."
        )


def _position(name: str, names: Sequence[str], wanted: str | None, argument: str = "target") -> int:
    columns = ", ".join(map(repr, names[:30])) + (", …" if len(names) > 30 else "")
    if wanted is None:
        raise InputError(f"data {name!r}: a table needs target=, the column to predict; it has {columns}.")
    wanted = column_name(wanted)
    if wanted not in names:
        hint = "; columns are expected to be separated by commas" if len(names) == 1 else ""
        raise InputError(
            f"data {name!r}: there is no column {argument}={wanted!r}{nearest(wanted, names)}; it has "
            f"{columns}{hint}."
        )
    return names.index(wanted)


def _kind(name: str, column: str, series: pd.Series) -> Kind:
    from pandas.api import types

    dtype = series.dtype
    if isinstance(dtype, types.CategoricalDtype):
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
        f"data {name!r}: expected numbers or categories in column {column!r}, received {received}; {advice}, "
        f"or drop the column."
    )


def _convert(name: str, column: str, series: pd.Series) -> tuple[Kind, np.ndarray]:
    """One column as float32 numbers with NaN, or as str objects with "", for what is missing."""
    kind = _kind(name, column, series)
    if kind == "category":
        return kind, _categories(name, column, series)
    wide = series.to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(over="ignore"):  # what does not fit is refused on the next lines, by its row
        numbers = wide.astype(np.float32)
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        raise InputError(
            f"data {name!r}: column {column!r} is infinite (in float32) in row {infinite[0] + 1} of "
            f"{len(numbers)}, expected finite or missing numbers; mend it or leave it empty."
        )
    return kind, numbers


def _categories(name: str, column: str, series: pd.Series) -> np.ndarray:
    missing = series.isna().to_numpy()
    values = np.array(["" if gap else str(value) for value, gap in zip(series, missing, strict=True)], object)
    present = values[~missing]
    dates = sum(ISO_DATE.match(value) is not None for value in present)
    if dates and dates >= MOSTLY * len(present):
        raise _refusal(name, column, f"dates such as {present[0]!r}", dated=True)
    return values


def _targets(name: str, column: str, series: pd.Series, task: str | None) -> np.ndarray:
    """(samples,) float64 for regression, str objects for classes and texts."""
    asked = None if task is None else target_kinds()[task]
    if asked is not None and asked.is_verbatim:
        return as_text(f"data {name!r}: the column {column!r}", series)
    gaps = np.flatnonzero(series.isna().to_numpy())
    if len(gaps):
        raise InputError(
            f"data {name!r}: the target {column!r} is missing in {len(gaps)} rows, the first is row "
            f"{gaps[0] + 1} of {len(series)}; fill in those rows or drop them."
        )
    kind, values = _convert(name, column, series)
    if kind == "category":
        return values
    numbers = values == 1 if kind == "bool" else series.to_numpy(dtype=np.float64)
    whole = bool((numbers == np.round(numbers)).all())
    few = len(np.unique(numbers)) <= MOST_INTEGER_CLASSES
    implied = "classification" if kind == "bool" or (whole and few) else "regression"
    return (asked or target_kinds()[implied]).of_column(numbers)

"""Tables: a DataFrame, a CSV file or a Parquet file, with numbers and categories, or a column of text."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.data.column_kinds import ReadColumn, facts_of_column, ordered_times, read_column
from kexp.data.dataset import Source
from kexp.data.plain_arrays import floats_of
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions, Target
from kexp.data.sources.table_files import read_csv_table, read_parquet, require_columns
from kexp.data.splits import RowFacts
from kexp.data.strings import as_text
from kexp.data.table_columns import Column, ColumnFacts, column_name
from kexp.data.table_options import TableOptions
from kexp.data.targets import target_kinds

if TYPE_CHECKING:
    import pandas as pd

MOST_INTEGER_CLASSES = 20


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
        frame, notes = read_csv_table(place.path, text=letters, table=options.table)
        return _of_frame(frame, place.name, options, notes)


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


def _of_frame(frame: pd.DataFrame, name: str, options: ReadOptions, notes: Sequence[str] = ()) -> Source:
    separated = bool(options.separator)
    read = from_frame(
        frame,
        name,
        options.target,
        options.task,
        options.text,
        separated=separated,
        table=options.table,
    )
    return replace(read, notes=(*notes, *read.notes))


def from_frame(
    frame: pd.DataFrame,
    name: str,
    target: Target | None,
    task: str | None,
    text: str | None = None,
    *,
    separated: bool = False,
    table: TableOptions | None = None,
) -> Source:
    """Turn a DataFrame into columns of numbers, categories and dates, or one of text, and the targets.

    Args:
        frame: A row per sample; it is left as it is.
        name: Name of the data, for messages.
        target: Name of the column to predict, or of several, whose targets are (samples, columns).
        task: None to read it off the target: text, truth values and at most 20 whole numbers are
            classes, other numbers are quantities. For "text" it is taken as it is.
        text: Name of the column that is the only input, the others being left out; default: all are.
        separated: The target column has texts that hold several labels each.
        table: What columns are, and which ones say of rows what they belong to; default: nothing is said.

    Returns:
        The inputs by column, (samples,) each, in the order of the frame; or the (samples,) texts.

    Raises:
        InputError: For a target that is absent or has gaps, and for columns that are neither
            numbers nor categories nor dates.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"age": [31, None], "town": ["Bonn", "Graz"], "ill": [True, False]})
        >>> from_frame(frame, "patients", target="ill", task=None).columns
        (Column(name='age', kind='number'), Column(name='town', kind='category'))
    """
    table = table or TableOptions()
    names = [column_name(column) for column in frame.columns]
    require_columns(f"data {name!r}", names)
    several = isinstance(target, tuple) and column_name(target) not in names  # as pandas may call one column
    positions = [_position(name, names, one) for one in (target if several else (target,))]  # type: ignore
    if not len(frame):
        raise InputError(f"data {name!r}: expected a row per sample, received column names only; add rows.")
    _require_said(name, names, [names[position] for position in positions], table)
    if len(names) <= len(positions):
        raise InputError(
            f"data {name!r}: expected columns besides the target {shown(target)}, received none."
        )
    if text is not None and _position(name, names, text, "text") in positions:
        raise InputError(
            f"data {name!r}: text={shown(text)} is the target too, expected another column; name the one to "
            "read."
        )
    chosen = [(names[position], frame.iloc[:, position]) for position in positions]
    targets, facts = (
        _number_columns(name, chosen, table)
        if several
        else _targets(name, *chosen[0], task, table, separated=separated)
    )
    named = tuple(names[position] for position in positions)
    described = Source(
        name,
        {},
        class_names=named if several else (),
        target=", ".join(named),
        target_names=named if several else (),
        rows=_row_facts(name, names, frame, table),
    )
    if text is not None:
        column, texts = _text(frame, name, names, text)
        return replace(described, parts={"train": (texts, targets)}, columns=(column,))
    apart = {*positions, *(names.index(one) for one, _ in _roles(table))}
    series = {column: frame.iloc[:, place] for place, column in enumerate(names) if place not in apart}
    beside = _facts_beside(names, frame, table)
    return _with_columns(described, names, series, table, {**facts, **beside}, targets)


def _with_columns(
    source: Source,
    names: Sequence[str],
    series: Mapping[str, pd.Series],
    table: TableOptions,
    facts: Mapping[str, ColumnFacts],
    targets: np.ndarray,
) -> Source:
    """Return a source with the inputs that are in columns, and what was found in all of them."""
    read = _with_inputs(
        {column: read_column(f"data {source.name!r}", column, one, table) for column, one in series.items()}
    )
    inputs = {column: one.values for column, one in read.items() if one.column is not None}
    found = {column: one.facts for column, one in read.items()} | dict(facts)
    listed = tuple(found[column] for column in names if column in found)
    _require_finite(source.name, inputs)
    return replace(
        source,
        parts={"train": (inputs, targets)},
        columns=tuple(one.column for one in read.values() if one.column is not None),
        column_facts=listed,
        notes=_notes(listed),
    )


def _with_inputs(read: dict[str, ReadColumn]) -> dict[str, ReadColumn]:
    """Return columns of which one is an input: an id is better than nothing."""
    if any(one.column is not None for one in read.values()):
        return read
    return {
        name: replace(one, column=Column(name, "category" if one.values.dtype == object else "number"))
        if one.facts.kind == "id"
        else one
        for name, one in read.items()
    }


def _notes(facts: Sequence[ColumnFacts]) -> tuple[str, ...]:
    """Return what is to be said of columns: those that are no inputs, and what is strange about others."""
    return tuple(
        f"column {shown(one.name)}{' is no input:' if one.kind == 'id' else ':'} {note}"
        for one in facts
        for note in one.notes
    )


def _roles(table: TableOptions) -> list[tuple[str, str]]:
    return [
        (one, kind) for one, kind in ((table.group, "group"), (table.weight, "weight")) if one is not None
    ]


def _facts_beside(names: Sequence[str], frame: pd.DataFrame, table: TableOptions) -> dict[str, ColumnFacts]:
    """Return what was found in the columns that say something of rows."""
    return {
        one: replace(facts_of_column(one, kind, frame.iloc[:, names.index(one)]), notes=())
        for one, kind in _roles(table)
    }


def _row_facts(name: str, names: Sequence[str], frame: pd.DataFrame, table: TableOptions) -> RowFacts:
    """Return what columns say of rows: what they belong to, when they are from and what they count."""
    groups = times = weights = None
    unit = 1.0
    if table.group is not None:
        series = _complete(name, names, frame, table.group, "group")
        groups = np.array([str(value) for value in series], dtype=object)
    if table.time is not None:
        series = _complete(name, names, frame, table.time, "time")
        times, is_date = ordered_times(f"data {name!r}", table.time, series, table)
        unit = 86400.0 if is_date else 1.0
    if table.weight is not None:
        weights = floats_of(_complete(name, names, frame, table.weight, "weight")).astype(np.float32)
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
            raise InputError(
                f"data {name!r}: the weight {shown(table.weight)} must be numbers of 0 or more, one above 0; "
                "mend them or leave weight out."
            )
    return RowFacts(groups, times, unit, weights)


def _complete(name: str, names: Sequence[str], frame: pd.DataFrame, column: str, argument: str) -> Any:
    series = frame.iloc[:, _position(name, names, column, argument)]
    _require_complete(name, column, series, argument)
    return series


def _require_said(name: str, names: Sequence[str], targets: Sequence[str], table: TableOptions) -> None:
    """Refuse to be told of columns that are not there, or two things of one."""
    for column in table.columns:
        if column not in names:
            raise InputError(
                f"data {name!r}: columns names {shown(column)}, and there is no such column"
                f"{nearest(column, names)}; correct it."
            )
    roles = [*targets, *(one for one, _ in _roles(table))]
    twice = next((one for one in roles if roles.count(one) > 1), None)
    if twice is not None:
        raise InputError(
            f"data {name!r}: column {shown(twice)} cannot be two of target, group and weight; name one thing "
            "for each."
        )


def _require_finite(name: str, inputs: dict[str, np.ndarray]) -> None:
    for column, values in inputs.items():
        infinite = np.flatnonzero(np.isinf(values)) if values.dtype.kind == "f" else np.zeros(0, int)
        if infinite.size:
            raise InputError(
                f"data {name!r}: column {shown(column)} is infinite (in float32) in row {infinite[0] + 1} of "
                f"{len(values)}, expected finite or missing numbers; mend it or leave it empty."
            )


def _text(frame: pd.DataFrame, name: str, names: Sequence[str], text: str) -> tuple[Column, np.ndarray]:
    position = _position(name, names, text, "text")
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


def _targets(
    name: str,
    column: str,
    series: pd.Series,
    task: str | None,
    table: TableOptions,
    *,
    separated: bool = False,
) -> tuple[np.ndarray, dict[str, ColumnFacts]]:
    """(samples,) float64 for regression, str objects for classes and texts, or lists of labels."""
    asked = None if task is None else target_kinds()[task]
    if separated or (asked is not None and asked.is_verbatim):
        return as_text(f"data {name!r}: the column {shown(column)}", series), {}
    _require_complete(name, column, series)
    lists = isinstance(series.iloc[0], list | tuple | set | frozenset | np.ndarray)
    if lists and (asked is None or asked.is_separable):
        return series.to_numpy(dtype=object), {}
    kind = table.columns.get(column)
    said = {} if kind is None or kind == "ignore" else {column: kind}
    read = read_column(f"data {name!r}", column, series, replace(table, columns=said))
    if read.column is not None and read.column.kind == "date":
        raise InputError(
            f"data {name!r}: the target {shown(column)} must be numbers or classes, received dates such as "
            f"{shown(read.values[0])}; turn them into numbers, such as days since a date."
        )
    values, facts = read.values, {column: replace(read.facts, kind="target")}
    if values.dtype == object:
        _require_no_gaps(name, column, values == "")
        return values, facts
    _require_finite(name, {column: values})
    _require_no_gaps(name, column, np.isnan(values))
    is_bool = series.dtype == bool or (series.dtype == object and isinstance(series.iloc[0], bool))
    numbers: Any = values == 1 if is_bool else _exact(series, values)
    whole = bool((numbers == np.round(numbers)).all())
    few = len(np.unique(numbers)) <= MOST_INTEGER_CLASSES
    implied = "classification" if is_bool or (whole and few) else "regression"
    return (asked or target_kinds()[implied]).of_column(numbers), facts


def _exact(series: Any, values: np.ndarray) -> np.ndarray:
    """Return (samples,) float64: of numbers as they are, of texts as they were read."""
    return floats_of(series) if series.dtype.kind in "biuf" else values.astype(np.float64)


def _number_columns(
    name: str, columns: Sequence[tuple[str, pd.Series]], table: TableOptions
) -> tuple[np.ndarray, dict[str, ColumnFacts]]:
    """(samples, columns) float64 of several target columns, whole numbers where all are 0 or 1."""
    numbers, facts = [], {}
    for column, series in columns:
        _require_complete(name, column, series)
        read = read_column(f"data {name!r}", column, series, replace(table, columns={}))
        if read.values.dtype == object:
            raise InputError(
                f"data {name!r}: several targets must be numbers, or 0 and 1 for labels; received text in "
                f"column {shown(column)}, so name that column alone or convert it."
            )
        _require_finite(name, {column: read.values})
        _require_no_gaps(name, column, np.isnan(read.values))
        numbers.append(_exact(series, read.values))
        facts[column] = replace(read.facts, kind="target")
    stacked = np.stack(numbers, axis=1)
    return (stacked.astype(np.int64) if np.isin(stacked, (0, 1)).all() else stacked), facts


def _require_complete(name: str, column: str, series: pd.Series, what: str = "target") -> None:
    _require_no_gaps(name, column, series.isna().to_numpy(), what)


def _require_no_gaps(name: str, column: str, missing: np.ndarray, what: str = "target") -> None:
    gaps = np.flatnonzero(missing)
    if len(gaps):
        raise InputError(
            f"data {name!r}: the {what} {shown(column)} is missing in {len(gaps)} rows, the first is row "
            f"{gaps[0] + 1} of {len(missing)}; fill in those rows or drop them."
        )

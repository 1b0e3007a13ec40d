"""The targets of a table: a column of classes, numbers or texts, or several columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.column_kinds import ReadColumn, read_column
from kexp.data.plain_arrays import floats_of
from kexp.data.strings import as_text
from kexp.data.table_columns import Column, ColumnFacts
from kexp.data.table_options import TableOptions
from kexp.data.targets import target_kinds

if TYPE_CHECKING:
    import pandas as pd

MOST_INTEGER_CLASSES = 20


@dataclass(frozen=True)
class TableTargets:
    """Targets that were read, and how those of another part are to be.

    Attributes:
        values: (samples,) float64 for regression, str objects for classes and texts, or lists of labels; of
            several columns (samples, columns) numbers.
        facts: What was found in the columns, by name.
        columns: How they are written, by name; empty where they were taken to the letter.
        task: What numbers in one column were taken to be for; empty: there is no such.
    """

    values: np.ndarray
    facts: Mapping[str, ColumnFacts] = field(default_factory=dict)
    columns: Mapping[str, Column] = field(default_factory=dict)
    task: str = ""


def read_targets(
    name: str,
    columns: Mapping[str, pd.Series],
    task: str | None,
    table: TableOptions,
    *,
    several: bool,
    separated: bool,
    like: TableTargets | None = None,
) -> TableTargets:
    """Return the targets of a table.

    Args:
        name: Name of the data, for messages.
        columns: The target column, or several.
        task: What they are for; None: to be read off them.
        table: What columns are, and how numbers are written.
        several: The caller has named several columns.
        separated: The one column has texts that hold several labels each.
        like: Targets of the training part, of which those of another part have kinds and format.

    Raises:
        InputError: They have gaps, or are nothing to predict.
    """
    if several:
        return _number_columns(name, columns, table, like)
    (column, series), *_ = columns.items()
    asked = None if task is None else target_kinds()[task]
    if separated or (asked is not None and asked.is_verbatim):
        return TableTargets(as_text(f"data {name!r}: the column {shown(column)}", series))
    require_complete(name, column, series)
    lists = isinstance(series.iloc[0], list | tuple | set | frozenset | np.ndarray)
    if lists and (asked is None or asked.is_separable):
        return TableTargets(series.to_numpy(dtype=object))
    return _of_column(name, column, series, task, table, like)


def _of_column(
    name: str,
    column: str,
    series: pd.Series,
    task: str | None,
    table: TableOptions,
    like: TableTargets | None,
) -> TableTargets:
    said = {one: kind for one, kind in table.columns.items() if one == column and kind != "ignore"}
    read = _read(name, column, series, replace(table, columns=said), like)
    if read.column is not None and read.column.kind == "date":
        raise InputError(
            f"data {name!r}: the target {shown(column)} must be numbers or classes, received dates such as "
            f"{shown(read.values[0])}; turn them into numbers, such as days since a date."
        )
    values, facts = read.values, {column: replace(read.facts, kind="target")}
    written = {column: read.column or _column_of(column, values)}
    if values.dtype == object:
        require_no_gaps(name, column, values == "")
        return TableTargets(values, facts, written)
    require_finite(name, {column: values})
    require_no_gaps(name, column, np.isnan(values))
    is_bool = series.dtype == bool or (series.dtype == object and isinstance(series.iloc[0], bool))
    numbers: Any = values == 1 if is_bool else _exact(series, values)
    whole = bool((numbers == np.round(numbers)).all())
    few = len(np.unique(numbers)) <= MOST_INTEGER_CLASSES
    implied = "classification" if is_bool or (whole and few) else "regression"
    chosen = task or (like.task if like else "") or implied
    return TableTargets(target_kinds()[chosen].of_column(numbers), facts, written, chosen)


def _number_columns(
    name: str, columns: Mapping[str, pd.Series], table: TableOptions, like: TableTargets | None
) -> TableTargets:
    """(samples, columns) float64 of several target columns, whole numbers where all are 0 or 1."""
    numbers, facts, written = [], {}, {}
    for column, series in columns.items():
        require_complete(name, column, series)
        read = _read(name, column, series, replace(table, columns={}), like)
        if read.values.dtype == object:
            raise InputError(
                f"data {name!r}: several targets must be numbers, or 0 and 1 for labels; received text in "
                f"column {shown(column)}, so name that column alone or convert it."
            )
        require_finite(name, {column: read.values})
        require_no_gaps(name, column, np.isnan(read.values))
        numbers.append(_exact(series, read.values))
        facts[column] = replace(read.facts, kind="target")
        written[column] = read.column or _column_of(column, read.values)
    stacked = np.stack(numbers, axis=1)
    values = stacked.astype(np.int64) if np.isin(stacked, (0, 1)).all() else stacked
    return TableTargets(values, facts, written)


def _read(
    name: str, column: str, series: pd.Series, table: TableOptions, like: TableTargets | None
) -> ReadColumn:
    """Return a target column, one of another part as that of the training part is written."""
    written = like.columns.get(column) if like else None
    if written is not None:
        kind: Any = written.kind
        table = replace(table, columns={column: kind}, decimal=written.decimal or ".", thousands=None)
    return read_column(f"data {name!r}", column, series, table)


def _column_of(column: str, values: np.ndarray) -> Column:
    """Return what a column is that would be no input, such as one with another value in each row."""
    return Column(column, "category" if values.dtype == object else "number")


def _exact(series: Any, values: np.ndarray) -> np.ndarray:
    """Return (samples,) float64: of numbers as they are, of texts as they were read."""
    return floats_of(series) if series.dtype.kind in "biuf" else values.astype(np.float64)


def require_complete(name: str, column: str, series: pd.Series, what: str = "target") -> None:
    """Refuse a column that says something of rows, or is predicted, and has gaps.

    Raises:
        InputError: It has.
    """
    require_no_gaps(name, column, series.isna().to_numpy(), what)


def require_no_gaps(name: str, column: str, missing: np.ndarray, what: str = "target") -> None:
    """Refuse gaps in a column, (samples,) of truth values.

    Raises:
        InputError: There are some.
    """
    gaps = np.flatnonzero(missing)
    if len(gaps):
        raise InputError(
            f"data {name!r}: the {what} {shown(column)} is missing in {len(gaps)} rows, the first is row "
            f"{gaps[0] + 1} of {len(missing)}; fill in those rows or drop them."
        )


def require_finite(name: str, columns: Mapping[str, np.ndarray]) -> None:
    """Refuse infinite numbers in columns, (samples,) each.

    Raises:
        InputError: There are some.
    """
    for column, values in columns.items():
        infinite = np.flatnonzero(np.isinf(values)) if values.dtype.kind == "f" else np.zeros(0, int)
        if infinite.size:
            raise InputError(
                f"data {name!r}: column {shown(column)} is infinite (in float32) in row {infinite[0] + 1} of "
                f"{len(values)}, expected finite or missing numbers; mend it or leave it empty."
            )

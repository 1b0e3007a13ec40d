"""Series in order of time, one or several, of an array, a table in memory or a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.data.catalog import locate
from kexp.data.column_kinds import ordered_times, read_column
from kexp.data.plain_arrays import plain_array
from kexp.data.sample_files import sample_path
from kexp.data.sources.table_files import read_csv, read_parquet
from kexp.data.sources.table_targets import require_no_gaps
from kexp.data.table_options import TableOptions

_LARGE_GAP = 1.5  # times the usual step from one row to the next


@dataclass(frozen=True)
class OrderedSeries:
    """Series that were read.

    Attributes:
        series: (steps, channels) of each, in order of time.
        name: Of the data.
        target: Name of the first channel.
        notes: What is to be said of their order, sentences.
    """

    series: tuple[np.ndarray, ...]
    name: str
    target: str
    notes: tuple[str, ...] = ()


def read_series(
    values: Any, column: str | Sequence[str] | None, time: str | None, series: str | None
) -> OrderedSeries:
    """Return series in order of time.

    Args:
        values: As `kexp.data.windows` takes them.
        column: The channels; None where there are no columns.
        time: Column that the rows are ordered by; None: the only one of dates, if there is one.
        series: Column that says which series a row belongs to; None: all to one.

    Raises:
        InputError: There is no such column, or it has something else than numbers.
    """
    pandas = sys.modules.get("pandas")  # who has a DataFrame has imported it
    if pandas is not None and isinstance(values, pandas.DataFrame):
        return _of_frame(values, "DataFrame", column, time, series)
    if isinstance(values, str | Path):
        place = locate(values)
        if place.form == "embedded" and place.name == "sunspots":
            frame = read_csv(sample_path("sunspots"))
            return _of_frame(frame, "sunspots", column or "sunactivity", time, series)
        if place.form not in ("csv", "parquet"):
            raise InputError(
                f"values={str(values)!r}: expected 'sunspots', or a CSV or Parquet file with a row per step; "
                f"read it yourself and pass the numbers."
            )
        frame = read_csv(place.path) if place.form == "csv" else read_parquet(place.path)
        return _of_frame(frame, place.name, column, time, series)
    for argument, named in (("column", column), ("time", time), ("series", series)):
        if named is not None:
            raise InputError(
                f"{argument}={shown(named)}: only a table has columns to choose; leave {argument} out."
            )
    return OrderedSeries((_of_array(values),), "series", "target")


def _of_frame(
    frame: Any, name: str, column: str | Sequence[str] | None, time: str | None, series: str | None
) -> OrderedSeries:
    chosen = [column] if isinstance(column, str) else list(column or ())
    known = [str(label) for label in frame.columns]
    asked: list[tuple[str, list[str | None]]] = [
        ("column", [*chosen]),
        ("time", [time]),
        ("series", [series]),
    ]
    for argument, wanted in asked:
        lacking = next((label for label in wanted if label is not None and label not in known), None)
        if lacking is not None or (argument == "column" and not chosen):
            columns = ", ".join(map(shown, known[:30]))
            raise InputError(
                f"{argument}={shown(lacking)}: expected one of the columns {columns} of {name!r}"
                f"{nearest(str(lacking), known)}; name the one to forecast."
            )
    numbers = np.stack(
        [_numbers(name, label, frame.iloc[:, known.index(label)]) for label in chosen], axis=-1
    )
    others = [label for label in known if label not in (*chosen, series)]
    time = time or _dated(name, frame, known, others)
    keys = (
        np.zeros(len(frame), int) if series is None else np.asarray(frame.iloc[:, known.index(series)], str)
    )
    each, notes = [], []
    if time is not None:  # of all series at once, so that their dates are read in one format
        times, is_date, said = _times(name, time, frame.iloc[:, known.index(time)])
        notes += said
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        of_key = "" if series is None else f" of {series} {shown(str(key))}"
        if time is not None:
            rows, said = _in_order(rows, times[rows], time, of_key, is_date=is_date)
            notes += said
        each.append(numbers[rows])
    return OrderedSeries(tuple(each), name, chosen[0], tuple(notes))


def _numbers(name: str, label: str, values: Any) -> np.ndarray:
    options = TableOptions(columns={label: "number"})
    read = read_column(f"data {name!r}", label, values, options)
    if read.values.dtype == object:
        raise InputError(
            f"data {name!r}: expected numbers in column {shown(label)}, received {shown(read.values[0])}; "
            "name a column of numbers."
        )
    return read.values.astype(np.float64)


def _dated(name: str, frame: Any, known: Sequence[str], others: Sequence[str]) -> str | None:
    """Return the only column of dates among others, or None."""
    found = []
    for label in others:
        values = frame.iloc[:, known.index(label)]
        if values.dtype.kind in "biuf":
            continue
        try:
            read = read_column(f"data {name!r}", label, values, TableOptions())
        except InputError:  # of a column that is not asked for
            continue
        if read.column is not None and read.column.kind == "date" and "" not in read.values:
            found.append(label)
    return found[0] if len(found) == 1 else None


def _times(name: str, time: str, values: Any) -> tuple[np.ndarray, bool, list[str]]:
    read = ordered_times(f"data {name!r}", time, values, TableOptions())
    require_no_gaps(name, time, np.isnan(read.values), "time")
    said = [f"column {shown(time)}: {note}" for note in read.notes]
    return read.values, read.column.kind == "date", said


def _in_order(
    rows: np.ndarray, times: np.ndarray, time: str, of_key: str, *, is_date: bool
) -> tuple[np.ndarray, list[str]]:
    """Return rows by their times, and what is to be said of these."""
    order, notes = np.argsort(times, kind="stable"), []
    if (np.diff(times) < 0).any():
        notes.append(f"the rows{of_key} are put in the order of {time!r}, which they were not in.")
    steps = np.diff(times[order])
    repeated = int((steps == 0).sum())
    if repeated:
        notes.append(f"{repeated:,} rows{of_key} have the {time!r} of the row before.")
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    gaps = steps > _LARGE_GAP * usual
    if is_date and _is_regular(steps, usual) and gaps.any():
        notes.append(
            f"{int(gaps.sum()):,} rows{of_key} come later after the one before than usual by {time!r}, at "
            f"most {steps.max() / usual:.3g} times as late; windows reach over these gaps."
        )
    return rows[order], notes


def _is_regular(steps: np.ndarray, usual: float) -> bool:
    return bool((np.abs(steps - usual) < 1e-6 * usual).mean() > 0.5)


def _of_array(values: Any) -> np.ndarray:
    array = plain_array("values", values, ragged="pass one series, in order of time")
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2) or not array.size:
        raise InputError(
            f"values: expected numbers of shape (steps,) or (steps, channels), received "
            f"{type(values).__name__} {array.shape}; pass one series, in order of time."
        )
    return array[:, None] if array.ndim == 1 else array

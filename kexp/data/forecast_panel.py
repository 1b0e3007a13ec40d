"""Panels: several series on one grid of times, read from a table with a row per step and series."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.data.catalog import locate
from kexp.data.column_kinds import ordered_times, read_column
from kexp.data.sample_files import sample_path
from kexp.data.sources.table_files import read_csv, read_parquet
from kexp.data.sources.table_targets import require_no_gaps
from kexp.data.table_options import TableOptions

if TYPE_CHECKING:
    import pandas as pd

_MONTH_S = 2_629_746.0  # a twelfth of 365.2425 days
_SHORTEST_MONTH_S = 27.5 * 86_400
_MOST_CELLS = 2**31


@dataclass(frozen=True)
class PanelColumns:
    """Columns of a table by what they are; see `kexp.data.forecast_form.ForecastForm`."""

    target: str
    time: str = ""
    series: str = ""
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """All columns that are forecast."""
        return (self.target, *self.others)


class Grid(NamedTuple):
    """The times of a panel, evenly apart.

    Attributes:
        start: The first, in seconds since 1970 for dates, else in the unit of the column.
        step: From one to the next, in the same unit; of months their mean.
        months: The step in months; 0 where it is even.
        dated: Whether times are dates.
    """

    start: float
    step: float
    months: int
    dated: bool

    def times(self, places: np.ndarray) -> np.ndarray:
        """Return the times of places on the grid, float64."""
        if not self.months:
            return self.start + self.step * places
        first = np.datetime64(int(self.start), "s")
        month = first.astype("datetime64[M]")
        months = month + self.months * np.asarray(places)
        return (months.astype("datetime64[s]") + (first - month)).astype(np.float64)

    def text(self, place: int) -> str:
        """Return the time of a place as people write it.

        Example:
            >>> Grid(0.0, 3600.0, 0, True).text(25)
            '1970-01-02 01:00:00'
        """
        time = float(self.times(np.array(place)))
        return str(np.datetime64(int(time), "s")).replace("T", " ") if self.dated else f"{time:g}"


@dataclass(frozen=True, eq=False)
class Panel:
    """Series on one grid; what is missing is NaN.

    Attributes:
        name: Of the data.
        columns: What its columns are.
        names: (series,) of each.
        grid: Of the times.
        targets: (series, steps, targets) float64.
        past: (series, steps, columns) float64.
        future: (series, steps, columns) float64.
        static: By column (series,) float64, or str objects.
        present: (series, steps) whether the table has a row there.
        steps: How many there are up to the last known target of any series; later rows have known future
            columns alone.
        notes: What is to be said of the table, sentences.
    """

    name: str
    columns: PanelColumns
    names: tuple[str, ...]
    grid: Grid
    targets: np.ndarray
    past: np.ndarray
    future: np.ndarray
    static: Mapping[str, np.ndarray]
    present: np.ndarray
    steps: int
    notes: tuple[str, ...] = ()

    @property
    def target(self) -> np.ndarray:
        """(series, steps) of the first target."""
        return self.targets[..., 0]


_kept: ContextVar[dict[Any, Panel] | None] = ContextVar("panels that were read", default=None)


@contextmanager
def panels_kept() -> Iterator[None]:
    """Read a table only once within, however often the same columns of it are asked for."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def read_panel(values: Any, columns: PanelColumns, *, grid: Grid | None = None) -> Panel:
    """Return the series of a table on one grid of times.

    Args:
        values: A DataFrame, "sunspots", or a name or path of a CSV or Parquet file, with a row per step.
        columns: What its columns are. Without a time column rows are in order.
        grid: That other data were on, whose step these must have too; default None: the usual step.

    Raises:
        InputError: A column is missing or holds something else, two rows of a series are of one time, or a
            time lies off the grid.
    """
    kept = _kept.get()
    key = (str(values) if isinstance(values, str | Path) else id(values), columns, grid)
    if kept is None:
        return _read(values, columns, grid)
    if key not in kept:
        kept[key] = _read(values, columns, grid)
    return kept[key]


def _read(values: Any, columns: PanelColumns, grid: Grid | None) -> Panel:
    frame, name = _frame(values)
    columns = _known(columns, name, frame)
    keys = np.zeros(len(frame), int)
    names: tuple[str, ...] = ("",)
    if columns.series:
        texts = frame[columns.series].astype(str).to_numpy(dtype=str)
        found, keys = np.unique(texts, return_inverse=True)
        names = tuple(map(str, found))
    times, dated, notes = _times(name, columns.time, frame, keys)
    grid = _with_start(grid, times) if grid is not None else _grid(times, keys, dated=dated)
    places = _places(name, columns, frame, times, grid)
    _refuse_duplicates(name, columns, frame, keys, places)
    shape = (len(names), int(places.max()) + 1)
    if shape[0] * shape[1] > _MOST_CELLS:
        raise InputError(
            f"time={columns.time!r}: the times of {name!r} span {shape[1]:,} steps of {grid.step:g}, far "
            "more than it has rows; mend the times."
        )

    def laid(wanted: Sequence[str]) -> np.ndarray:
        array = np.full((*shape, len(wanted)), np.nan)
        for number, label in enumerate(wanted):
            array[keys, places, number] = _numbers(name, label, frame[label])
        return array

    present = np.zeros(shape, bool)
    present[keys, places] = True
    targets = laid(columns.targets)
    known = np.flatnonzero(np.isfinite(targets).any(axis=(0, 2)))
    for label, values in zip(columns.targets, np.moveaxis(targets, -1, 0), strict=True):
        if not np.isfinite(values).any():
            raise InputError(f"target={label!r}: expected numbers in {name!r}, received none; give some.")
    return Panel(
        name,
        columns,
        names,
        grid,
        targets,
        laid(columns.past),
        laid(columns.future),
        {label: _constant(name, label, frame[label], keys, names) for label in columns.static},
        present,
        int(known[-1]) + 1,
        tuple(notes),
    )


def _frame(values: Any) -> tuple[pd.DataFrame, str]:
    pandas = sys.modules.get("pandas")  # who has a DataFrame has imported it
    if pandas is not None and isinstance(values, pandas.DataFrame):
        frame, name = values, "DataFrame"
    elif isinstance(values, str | Path):
        place = locate(values)
        if place.form == "embedded" and place.name == "sunspots":
            frame, name = read_csv(sample_path("sunspots")), "sunspots"
        elif place.form in ("csv", "parquet"):
            frame = read_csv(place.path) if place.form == "csv" else read_parquet(place.path)
            name = place.name
        else:
            raise InputError(
                f"data={str(values)!r}: expected 'sunspots', or a CSV or Parquet file with a row per step; "
                "give one."
            )
    else:
        raise InputError(
            f"data={shown(values)}: expected a DataFrame, or a CSV or Parquet file with a row per step; give "
            "one."
        )
    if not len(frame):
        raise InputError(f"data {name!r}: expected a row or more, received none; give another table.")
    return frame.set_axis(frame.columns.map(str), axis=1), name


def _known(columns: PanelColumns, name: str, frame: pd.DataFrame) -> PanelColumns:
    """Return the columns, those of sunspots by default, once all of them are there and have one role."""
    known = list(frame.columns)
    if name == "sunspots" and not columns.target:
        columns = replace(columns, target="sunactivity", time=columns.time or "year")
    roles: dict[str, str] = {}
    for field, wanted in asdict(columns).items():
        argument = "target" if field == "others" else field
        labels = wanted if isinstance(wanted, tuple) else (wanted,)
        for label in labels:
            if (label or argument == "target") and label not in known:
                raise InputError(
                    f"{argument}={shown(label)}: expected one of the columns "
                    f"{', '.join(map(shown, known[:30]))} of {name!r}{nearest(str(label), known)}; name one."
                )
            if label and label in roles:
                raise InputError(
                    f"{argument}={shown(label)}: the column is {roles[label]} already; leave it out of one "
                    "of them."
                )
            roles |= {label: argument} if label else {}
    return columns


def _times(name: str, time: str, frame: pd.DataFrame, keys: np.ndarray) -> tuple[np.ndarray, bool, list[str]]:
    """Return the time of each row, whether it is a date, and notes; without a column its place."""
    if not time:
        times = np.zeros(len(keys))
        for key in np.unique(keys):
            rows = np.flatnonzero(keys == key)
            times[rows] = np.arange(len(rows))
        return times, False, []
    read = ordered_times(f"data {name!r}", time, frame[time], TableOptions())
    require_no_gaps(name, time, np.isnan(read.values), "time")
    notes = [f"column {shown(time)}: {note}" for note in read.notes]
    order = np.lexsort((np.arange(len(keys)), keys))
    steps = np.diff(read.values[order])[np.diff(keys[order]) == 0]
    if (steps < 0).any():
        notes.append(f"the rows are put in the order of {time!r}, which they were not in.")
    return read.values, read.column.kind == "date", notes


def _grid(times: np.ndarray, keys: np.ndarray, *, dated: bool) -> Grid:
    """Return the grid on which most rows follow the one before in the same series."""
    order = np.lexsort((times, keys))
    same = np.diff(keys[order]) == 0
    steps = np.diff(times[order])[same]
    steps = steps[steps > 0]
    start = float(times.min())
    if not len(steps):
        return Grid(start, 1.0, 0, dated)
    found, counts = np.unique(steps, return_counts=True)
    usual = float(found[np.argmax(counts)])
    if dated and usual >= _SHORTEST_MONTH_S:
        months = np.diff(times[order].astype("datetime64[s]").astype("datetime64[M]").astype(int))[same]
        found, counts = np.unique(months[months > 0], return_counts=True)
        count = int(found[np.argmax(counts)])
        return Grid(start, count * _MONTH_S, count, dated)
    return Grid(start, usual, 0, dated)


def _with_start(grid: Grid, times: np.ndarray) -> Grid:
    return grid._replace(start=float(times.min()))


def _places(
    name: str, columns: PanelColumns, frame: pd.DataFrame, times: np.ndarray, grid: Grid
) -> np.ndarray:
    """Return the place of each row on the grid."""
    if grid.months:
        months = times.astype("datetime64[s]").astype("datetime64[M]").astype(int)
        places = (months - months.min()) // grid.months
    else:
        places = np.rint((times - grid.start) / grid.step).astype(np.int64)
    off = np.flatnonzero(np.abs(grid.times(places) - times) > 1e-6 * grid.step)
    if len(off):
        row = int(off[0])
        unit = " s" if grid.dated else ""
        usual = f"{grid.months} months" if grid.months else f"{grid.step:g}{unit}"
        raise InputError(
            f"time={columns.time!r}: row {row + 1} of {name!r} is of "
            f"{shown(str(frame[columns.time].iloc[row]))}, which is no whole number of steps of {usual} "
            f"after the first time, as are {len(off):,} rows in all; round the times, or take means of equal "
            "spans."
        )
    return places


def _refuse_duplicates(
    name: str, columns: PanelColumns, frame: pd.DataFrame, keys: np.ndarray, places: np.ndarray
) -> None:
    order = np.lexsort((places, keys))
    again = np.flatnonzero((np.diff(keys[order]) == 0) & (np.diff(places[order]) == 0))
    if not len(again):
        return
    first, second = sorted(int(row) + 1 for row in order[[again[0], again[0] + 1]])
    of_series = ""
    if columns.series:
        of_series = f" of {columns.series} {shown(str(frame[columns.series].iloc[first - 1]))}"
    advice = "" if columns.series else ", or name the column of several series as series"
    raise InputError(
        f"time={columns.time!r}: rows {first} and {second} of {name!r} are both of "
        f"{shown(str(frame[columns.time].iloc[first - 1]))}{of_series}, as are {len(again):,} rows in all "
        f"with an earlier one; keep one of each{advice}."
    )


def _numbers(name: str, label: str, values: pd.Series) -> np.ndarray:
    read = read_column(f"data {name!r}", label, values, TableOptions(columns={label: "number"}))
    if read.values.dtype == object:
        raise InputError(
            f"data {name!r}: expected numbers in column {shown(label)}, received {shown(read.values[0])}; "
            "name a column of numbers."
        )
    return read.values.astype(np.float64)


def _constant(name: str, label: str, values: pd.Series, keys: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return (series,) values of a column that stays the same within a series."""
    cells = values.to_numpy()
    found = np.empty(len(names), np.float64 if cells.dtype.kind in "biuf" else object)
    for key, series in enumerate(names):
        own = values.iloc[np.flatnonzero(keys == key)]
        if own.nunique(dropna=False) != 1 or own.isna().any():
            raise InputError(
                f"static={label!r}: expected one value for all rows of a series of {name!r}, received "
                f"{', '.join(shown(str(one)) for one in own.unique()[:3])} for {shown(series)}; name it in "
                "past or future."
            )
        found[key] = own.iloc[0] if found.dtype != object else str(own.iloc[0])
    return found

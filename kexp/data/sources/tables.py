"""Tables: a DataFrame, a CSV file or a Parquet file, with numbers and categories, or a column of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.core.reading_progress import shown_work
from kexp.data.column_kinds import ReadColumn, facts_of_column, ordered_times, read_column
from kexp.data.dataset import Source
from kexp.data.given_tables import is_frame
from kexp.data.plain_arrays import floats_of
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions, Target
from kexp.data.sources.files_of_rows import with_files
from kexp.data.sources.parquet_columns import ParquetColumns, Table, column_at, reads_columns
from kexp.data.sources.table_files import read_csv_table, read_parquet, require_columns, separates
from kexp.data.sources.table_targets import (
    TableTargets,
    read_targets,
    require_complete,
    require_finite,
    require_no_gaps,
)
from kexp.data.splits import RowFacts
from kexp.data.stored_arrays import stored_column
from kexp.data.strings import as_text
from kexp.data.table_columns import Column, ColumnFacts, column_name
from kexp.data.table_options import TableOptions
from kexp.data.targets import target_kinds

if TYPE_CHECKING:
    import pandas as pd


class CsvFile(DataSource):
    """A comma-separated file with a header."""

    name: ClassVar[str] = "csv"
    description: ClassVar[str] = "table in a CSV file"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".csv.gz")
    has_columns: ClassVar[bool] = True
    gives_way: ClassVar[bool] = True

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        frame, notes = read_table(place, options)
        return _of_frame(frame, place.name, options, notes, place.path.parent)

    def separates(self, origin: Any, table: TableOptions) -> bool:
        return separates(origin.path, table)


class ParquetFile(DataSource):
    """A Parquet file."""

    name: ClassVar[str] = "parquet"
    description: ClassVar[str] = "table in a Parquet file"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)
    has_columns: ClassVar[bool] = True
    is_stored: ClassVar[bool] = True
    gives_way: ClassVar[bool] = True

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        paths = options.file_column
        if not reads_columns(place.path, options.in_memory, options.text or (paths and paths[1])):
            return _of_frame(read_parquet(place.path), place.name, options, (), place.path.parent)
        frame = ParquetColumns(place.path)
        return _of_frame(frame, place.name, options, (frame.note(),))


class DataFrames(DataSource):
    """A pandas DataFrame in memory."""

    name: ClassVar[str] = "frame"
    has_columns: ClassVar[bool] = True

    def accepts(self, value: object) -> bool:
        return is_frame(value)

    def take(self, value: Any, options: ReadOptions) -> Source:
        return _of_frame(value, "DataFrame", options)


def _of_frame(
    frame: Table, name: str, options: ReadOptions, notes: Sequence[str] = (), folder: Path | None = None
) -> Source:
    read, _ = read_frame(frame, name, options)
    read = with_files(read, options, {"train": folder})
    return replace(read, notes=(*notes, *read.notes))


def read_table(
    place: DataLocation, options: ReadOptions, texts: Sequence[str] = ()
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the table of a CSV or Parquet file, and what was found out about how it is written.

    Args:
        place: The file.
        options: How it is read.
        texts: Columns of a CSV file that are texts whatever they look like.

    Raises:
        InputError: It is damaged, or no table.
    """
    if place.form == ParquetFile.name:
        return read_parquet(place.path), ()
    # What is text is taken to the letter, be it an input or a target.
    verbatim = options.task is not None and target_kinds()[options.task].is_verbatim
    one = options.target if isinstance(options.target, str) and (verbatim or options.separator) else None
    paths = options.file_column
    letters = [column for column in (options.text, paths and paths[1], one) if column]
    return read_csv_table(place.path, texts, text=letters, table=options.table)


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
    options = ReadOptions(target, text, task, None, " " if separated else None, table or TableOptions())
    return read_frame(frame, name, options)[0]


def read_frame(frame: Table, name: str, options: ReadOptions) -> tuple[Source, TableTargets]:
    """Return a DataFrame as `from_frame` does, and its targets as those of another part are to be read."""
    table, target = options.table, options.target
    text, argument = options.text, "text"
    if options.file_column is not None:  # the paths, which are read later
        argument, text = options.file_column
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
    if text is not None and _position(name, names, text, argument) in positions:
        raise InputError(
            f"data {name!r}: {argument}={shown(text)} is the target too, expected another column; name the "
            "one to read."
        )
    named = tuple(names[position] for position in positions)
    chosen = {names[position]: column_at(frame, position) for position in positions}
    separated = bool(options.separator)
    targets = read_targets(name, chosen, options.task, table, several=several, separated=separated)
    described = Source(
        name,
        {},
        class_names=named if several else (),
        target=", ".join(named),
        target_names=named if several else (),
        rows={"train": row_facts(name, frame, table)},
    )
    if text is not None:
        column, texts = _text(frame, name, names, text)
        return replace(described, parts={"train": (texts, targets.values)}, columns=(column,)), targets
    apart = {*positions, *(names.index(one) for one, _ in _roles(table))}
    places = {column: place for place, column in enumerate(names) if place not in apart}
    beside = _facts_beside(names, frame, table)
    facts = {**targets.facts, **beside}
    return _with_columns(described, names, frame, places, table, facts, targets.values), targets


def _with_columns(
    source: Source,
    names: Sequence[str],
    frame: Table,
    places: Mapping[str, int],
    table: TableOptions,
    facts: Mapping[str, ColumnFacts],
    targets: np.ndarray,
) -> Source:
    """Return a source with the inputs that are in columns, and what was found in all of them."""
    found: dict[str, ReadColumn] = {}
    with shown_work(f"looking at the columns of {source.name}", len(places), "columns") as work:
        for column, position in places.items():
            one = read_column(f"data {source.name!r}", column, column_at(frame, position), table)
            found[column] = _stored(source.name, one) if isinstance(frame, ParquetColumns) else one
            work.advance()
    read = _with_inputs(found)
    inputs = {column: one.values for column, one in read.items() if one.column is not None}
    known = {column: one.facts for column, one in read.items()} | dict(facts)
    listed = tuple(known[column] for column in names if column in known)
    if not isinstance(frame, ParquetColumns):
        require_finite(source.name, inputs)
    return replace(
        source,
        parts={"train": (inputs, targets)},
        columns=tuple(one.column for one in read.values() if one.column is not None),
        column_facts=listed,
        notes=_notes(listed),
    )


def _stored(name: str, read: ReadColumn) -> ReadColumn:
    """Return a column with its values on the disk."""
    require_finite(name, {read.facts.name: read.values})
    return replace(read, values=stored_column(read.values))  # type: ignore[arg-type]


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


def _facts_beside(names: Sequence[str], frame: Table, table: TableOptions) -> dict[str, ColumnFacts]:
    """Return what was found in the columns that say something of rows."""
    return {
        one: replace(facts_of_column(one, kind, column_at(frame, names.index(one))), notes=())
        for one, kind in _roles(table)
    }


def row_facts(name: str, frame: Table, table: TableOptions, time_column: Column | None = None) -> RowFacts:
    """Return what columns say of rows: what they belong to, when they are from and what they count.

    Args:
        name: Name of the data, for messages.
        frame: A row per sample.
        table: Which columns they are.
        time_column: That of the training part, as whose times those of another part are read.

    Raises:
        InputError: A column is absent, has gaps, or something else in it.
    """
    names = [column_name(column) for column in frame.columns]
    groups = times = weights = None
    if table.group is not None:
        series = _complete(name, names, frame, table.group, "group")
        groups = np.array([_group(value) for value in series], dtype=object)
    if table.time is not None:
        series = _complete(name, names, frame, table.time, "time")
        place = f"data {name!r}"
        read = ordered_times(place, table.time, series, table, time_column)
        times, time_column = read.values, read.column
        require_no_gaps(name, table.time, np.isnan(times), "time")
    if table.weight is not None:
        weights = floats_of(_complete(name, names, frame, table.weight, "weight")).astype(np.float32)
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
            raise InputError(
                f"data {name!r}: the weight {shown(table.weight)} must be numbers of 0 or more, one above 0; "
                "mend them or leave weight out."
            )
    return RowFacts(groups, times, time_column, weights)


def _group(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()  # as pandas makes of whole numbers with gaps
    return str(int(value) if whole else value)


def _complete(name: str, names: Sequence[str], frame: Table, column: str, argument: str) -> Any:
    series = column_at(frame, _position(name, names, column, argument))
    require_complete(name, column, series, argument)
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


def _text(frame: Table, name: str, names: Sequence[str], text: str) -> tuple[Column, np.ndarray]:
    position = _position(name, names, text, "text")
    texts = as_text(f"data {name!r}: the column {shown(text)}", column_at(frame, position))
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

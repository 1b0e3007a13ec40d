"""Tables of which each is a part: train.csv and test.csv in a folder, or DataFrames and files by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kexp.core.errors import InputError, located, nearest, shown
from kexp.core.name_lists import listed
from kexp.data.adapters import adapt_inputs
from kexp.data.catalog import locate_table
from kexp.data.dataset import DatasetSpec, Source
from kexp.data.given_tables import PART_NAMES, given_tables
from kexp.data.number_texts import NumberFormat
from kexp.data.sources.arrays import from_pairs
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions
from kexp.data.sources.files_of_rows import with_files
from kexp.data.sources.table_files import require_columns, separates
from kexp.data.sources.table_targets import TableTargets, read_targets
from kexp.data.sources.tables import CsvFile, ParquetFile, read_frame, read_table, row_facts
from kexp.data.strings import as_text
from kexp.data.table_columns import column_name, with_categories
from kexp.data.table_options import TableOptions

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 3
# Reads a table, with these of its columns as texts; returns what was found out about how it is written, too.
Reader = Callable[[Sequence[str]], "tuple[pd.DataFrame, tuple[str, ...]]"]


class TableFolder(DataSource):
    """A folder with a table for each part."""

    name: ClassVar[str] = "tables"
    description: ClassVar[str] = "tables of training and test data"
    folder_noun: ClassVar[str] = "tables of parts such as train.csv and test.csv"
    has_columns: ClassVar[bool] = True
    asked_last: ClassVar[bool] = True

    def holds(self, folder: Path) -> bool:
        return "train" in table_files(folder)

    def separates(self, origin: Any, table: TableOptions) -> bool:
        return any(_separates(place, table) for place in table_files(origin.path).values())

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        files = table_files(place.path)
        readers = {part: _file_reader(file, options) for part, file in files.items()}
        source = with_files(
            read_parts(place.name, readers, options), options, dict.fromkeys(files, place.path)
        )
        used = {file.path for file in files.values()}
        beside = [path for path in place.path.iterdir() if path not in used and path.name[0] != "."]
        # Where paths are in the tables, what they lead to may be anywhere below.
        left = sorted(path.name for path in beside if options.file_column is None or path.is_file())
        return replace(source, notes=(*_left_out(place.path, left), *source.notes))


class TablesInMemory(DataSource):
    """(train, test), or a mapping of parts, of DataFrames and files of tables."""

    name: ClassVar[str] = "tables in memory"
    has_columns: ClassVar[bool] = True

    def accepts(self, value: object) -> bool:
        return given_tables(value) is not None

    def separates(self, origin: Any, table: TableOptions) -> bool:
        places = (locate_table(part, one) for part, one in (given_tables(origin) or {}).items())
        return any(_separates(place, table) for place in places if place)

    def take(self, value: Any, options: ReadOptions) -> Source:
        if options.target is None and not isinstance(value, Mapping) and _are_pairs(value, options):
            return from_pairs(value)
        tables = given_tables(value) or {}
        places = {part: (table, locate_table(part, table)) for part, table in tables.items()}
        readers = {
            part: _file_reader(place, options) if place else _frame_reader(table)
            for part, (table, place) in places.items()
        }
        source = read_parts("tables", readers, options)
        folders = {part: place.path.parent if place else None for part, (_, place) in places.items()}
        return with_files(source, options, folders)


def table_files(folder: Path) -> dict[str, DataLocation]:
    """Return the tables of a folder that are parts by their names, the training part first.

    Raises:
        InputError: Two files are the same part.
    """
    forms = {suffix: one.name for one in (CsvFile, ParquetFile) for suffix in one.suffixes}
    found: dict[str, DataLocation] = {}
    for path in sorted(folder.iterdir()):
        for suffix, form in forms.items():
            part = PART_NAMES.get(path.name.lower().removesuffix(suffix))
            if part is None or not path.name.lower().endswith(suffix) or not path.is_file():
                continue
            if part in found:
                raise InputError(
                    f"data={str(folder)!r}: expected one table of the {part} part, received "
                    f"{found[part].path.name!r} and {path.name!r}; keep one of them."
                )
            found[part] = DataLocation(folder.name, form, path)
    return {part: found[part] for part in ("train", "validation", "test") if part in found}


def read_parts(name: str, readers: Mapping[str, Reader], options: ReadOptions) -> Source:
    """Return tables by part as one source, each part read as the training part is.

    Args:
        name: Name of the data, for messages.
        readers: Of each part what reads it.
        options: How tables are read.

    Raises:
        InputError: A part lacks columns of the training part, has others, or other values in them.
    """
    frame, said = readers["train"](())
    texts = [column_name(column) for place, column in enumerate(frame.columns) if _has_text(frame, place)]
    others = {part: reader(texts) for part, reader in readers.items() if part != "train"}
    elsewhere = {column_name(column) for other, _ in others.values() for column in other.columns}
    own = {column_name(column) for column in frame.columns}
    kinds = {
        column: kind
        for column, kind in options.table.columns.items()
        if column in own or kind != "ignore" or column not in elsewhere
    }
    train, targets = read_frame(frame, name, replace(options, table=replace(options.table, columns=kinds)))
    parts, rows = dict(train.parts), dict(train.rows)
    for part, (other, notes) in others.items():
        with located(f"the {part} part"):
            _require_columns(train, own, other, part, options)
            parts[part] = _as_training(train, targets, other, options)
            rows[part] = row_facts(name, other, options.table, train.rows["train"].time_column)
        said = (*said, *notes)
    return replace(train, parts=parts, rows=rows, notes=(*dict.fromkeys(said), *train.notes))


def _file_reader(place: DataLocation, options: ReadOptions) -> Reader:
    return lambda texts: read_table(place, options, texts)


def _frame_reader(frame: pd.DataFrame) -> Reader:
    return lambda texts: (frame, ())


def _separates(place: DataLocation, table: TableOptions) -> bool:
    return place.form == CsvFile.name and separates(place.path, table)


def _are_pairs(value: Sequence[Any], options: ReadOptions) -> bool:
    """Return whether two DataFrames may be inputs and targets with the same names: nothing says otherwise."""
    said = [options.text, *vars(options.table).values()]
    return len(value[0]) == len(value[1]) and all(one in (None, (), {}) for one in said)


def _has_text(frame: pd.DataFrame, place: int) -> bool:
    series = frame.iloc[:, place]
    return series.dtype.kind not in "biufcmM" and any(isinstance(one, str) for one in series)


def _left_out(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    left = listed(list(map(shown, names)), _SHOWN)
    return (f"folder {folder.name}: left out {'is' if len(names) == 1 else 'are'} {left}.",)


def _require_columns(
    train: Source, own: set[str], frame: pd.DataFrame, part: str, options: ReadOptions
) -> None:
    """Refuse a part that lacks a column that is needed, or has one that nobody knows."""
    names = [column_name(column) for column in frame.columns]
    require_columns(f"data {train.name!r}", names)
    if not len(frame):
        raise InputError(f"data {train.name!r}: expected a row per sample, received column names only.")
    targets = train.target_names or (train.target,)
    absent = [target for target in targets if target not in names]
    if absent:
        raise InputError(
            f"data {train.name!r}: expected the target {shown(absent[0])}, received a table without it, so "
            "that there is nothing to compare with; give the training table alone as data, and this one to "
            "`predict`."
        )
    table = options.table
    needed = [column.name for column in train.columns]
    needed += [one for one in (table.group, table.time, table.weight) if one is not None]
    lacking = list(dict.fromkeys(column for column in needed if column not in names))
    if lacking:
        raise InputError(
            f"data {train.name!r}: expected the columns of the train part, received none called "
            f"{', '.join(map(shown, lacking[:_SHOWN]))}{nearest(lacking[0], names)}; add what is missing, or "
            f"leave it out by columns={{{shown(lacking[0])}: 'ignore'}}."
        )
    new = [name for name in names if name not in own and table.columns.get(name) != "ignore"]
    if new and options.text is None and options.file_column is None:
        raise InputError(
            f"data {train.name!r}: expected the columns of the train part, received {shown(new[0])} too"
            f"{nearest(new[0], own)}; add it there, or leave it out by columns={{{shown(new[0])}: 'ignore'}}."
        )


def _as_training(
    train: Source, targets: TableTargets, frame: pd.DataFrame, options: ReadOptions
) -> tuple[Any, Any]:
    """Return inputs and targets of another part, in the format and of the kinds of the training part."""
    names = [column_name(column) for column in frame.columns]
    chosen = {target: frame.iloc[:, names.index(target)] for target in train.target_names or (train.target,)}
    read = read_targets(
        train.name,
        chosen,
        options.task,
        options.table,
        several=bool(train.target_names),
        separated=bool(options.separator),
        like=targets,
    )
    if options.text is not None or options.file_column is not None:
        (column,) = train.columns
        texts = frame.iloc[:, names.index(column.name)]
        return as_text(f"data {train.name!r}: the column {shown(column.name)}", texts), read.values
    columns = with_categories(train.columns, train.parts["train"][0])
    spec = DatasetSpec("table", (len(columns),), "mixed", "regression", 1, columns=columns)
    with located(f"data {train.name!r}"):
        inputs = adapt_inputs(frame, spec)
    for column in columns:
        _require_alike(train.name, column.name, column.categories, inputs[column.name])
    return inputs, read.values


def _require_alike(name: str, column: str, categories: Sequence[str], values: Any) -> None:
    """Refuse numbers where the training part has words: a column of another kind by the same name."""
    present = {value for value in values.tolist() if value} if categories else set()
    number = NumberFormat().number
    if not present or present & set(categories) or any(number(one) is None for one in present):
        return
    if all(number(one) is None for one in categories):
        raise InputError(
            f"data {name!r}: expected categories such as {shown(categories[0])} in column {shown(column)}, "
            f"as in the train part, received numbers such as {shown(min(present))}; mend it."
        )

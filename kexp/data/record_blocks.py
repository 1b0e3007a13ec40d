"""Rows of tables and lines of texts in blocks, so that a file of any length needs the memory of one block."""

from __future__ import annotations

import csv
import gzip
import io
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from kexp.core.errors import InputError, shown
from kexp.core.foreign_files import guarded, reading
from kexp.data.csv_dialect import CsvDialect, csv_dialect
from kexp.data.sources.table_files import parquet_metadata, require_columns
from kexp.data.table_columns import column_name
from kexp.data.table_options import TableOptions

RecordFormat = Literal["csv", "jsonl", "parquet", "txt"]
FORMATS: dict[str, RecordFormat] = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".parquet": "parquet",
    ".txt": "txt",
}
_MOST_ROWS = 2048  # of a block,
_MOST_CELLS = 500_000  # and fewer of wide tables
_SAMPLE_BYTES = 1 << 16
_LONGEST = 1 << 24  # characters of a line or a cell
_KINDS = {"csv": "a comma-separated table in UTF-8", "jsonl": "JSON lines in UTF-8", "txt": "text in UTF-8"}
_MEND = "mend or convert it"


@dataclass(frozen=True)
class Columns:
    """What is known of the columns that a model takes, before a file is read.

    Attributes:
        names: Of the columns.
        texts: Columns whose values are read as texts, whatever they look like.
        letters: The only column, taken to the letter: "" is a text there. None: there is none such.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...] = ()
    letters: str | None = None


@dataclass(frozen=True)
class Block:
    """Some records of a file, one after the other.

    Attributes:
        first: Number of the first record in the file, from 1; a line of column names is none.
        count: How many there are.
        read: Gives the records from one place in the block to another, as a table or a list of texts.
    """

    first: int
    count: int
    read: Callable[[int, int], Any]


def record_format(path: Path) -> RecordFormat | None:
    """Return the format of a file by its name; None: it has no records.

    Example:
        >>> record_format(Path("a.CSV.gz")), record_format(Path("a.png"))
        ('csv', None)
    """
    name = path.name.lower()
    return next((kind for suffix, kind in FORMATS.items() if name.endswith(suffix)), None)


def file_blocks(path: Path, kind: RecordFormat, columns: Columns) -> Iterator[Block]:
    """Yield the records of a file in order.

    Args:
        path: The file; decompressed if its name ends in .gz.
        kind: Its format.
        columns: What the model takes.

    Raises:
        InputError: It is damaged, or of another format. A record that is no such thing is found out where it
            is read.
    """
    if kind == "parquet":
        yield from _parquet_blocks(path, columns)
        return
    with reading(path, _KINDS[kind], _MEND):
        packed = open(path, "rb")  # noqa: SIM115  # closed below
    with packed:
        content: Any = gzip.GzipFile(fileobj=packed) if path.suffix.lower() == ".gz" else packed
        yield from stream_blocks(content, kind, columns, f"file {path}")


def stream_blocks(stream: BinaryIO, kind: RecordFormat, columns: Columns, place: str) -> Iterator[Block]:
    """Yield the records of an open file, which need not have a beginning to go back to; see `file_blocks`."""
    with guarded(place, _KINDS[kind], _MEND):
        sample = _first_bytes(stream)
    if not sample:
        raise InputError(f"{place}: expected {_KINDS[kind]}, received nothing.")
    whole: Any = io.BufferedReader(_Begun(sample, stream))
    if kind == "csv":
        with guarded(place, _KINDS[kind], _MEND):
            dialect = csv_dialect(Path(place), sample, TableOptions())
        yield from _csv_blocks(_lines(whole, dialect.encoding, "", place), dialect, columns, place)
        return
    lines = _lines(whole, "utf-8-sig", None, place)
    if kind == "txt":
        for first, some in _groups((line.rstrip("\n") for line in lines), _MOST_ROWS):
            yield Block(first, len(some), _slices(some))
        return
    for first, some in _groups((line for line in lines if line.strip()), _rows_at_once(len(columns.names))):
        yield Block(first, len(some), _objects(some, columns))


def _slices(some: Sequence[Any]) -> Callable[[int, int], Any]:
    return lambda begin, end: some[begin:end]


def _objects(lines: Sequence[str], columns: Columns) -> Callable[[int, int], Any]:
    """Return what reads lines of JSON as values by the names of columns."""

    def read(begin: int, end: int) -> dict[str, list[Any]]:
        rows = [_object(line, columns) for line in lines[begin:end]]
        return {name: [row[name] for row in rows] for name in columns.names}

    return read


def _object(line: str, columns: Columns) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected an object in JSON, received {shown(line.strip())} ({error}).") from None
    if isinstance(row, str) and columns.letters is not None:
        return {columns.letters: row}
    if not isinstance(row, dict):
        raise InputError(f"expected an object in JSON, received {shown(row)}.")
    known = {column_name(name): value for name, value in row.items()}
    missing = [name for name in columns.names if column_name(name) not in known]
    if missing:
        raise InputError(f"lacks {', '.join(map(shown, missing))}; add it, null if unknown.")
    values = {name: known[column_name(name)] for name in columns.names}
    return {name: _as_read(value, name in columns.texts) for name, value in values.items()}


def _as_read(value: object, as_text: bool) -> object:
    """Return a value of JSON, a number as a text where a table would have it as one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if as_text and is_number else value


def _csv_blocks(lines: Iterator[str], dialect: CsvDialect, columns: Columns, place: str) -> Iterator[Block]:
    require_columns(place, dialect.names)
    _require(columns, dialect.names, place)
    records = _records(lines, dialect, place)
    if dialect.has_header:
        next(records)
    for first, some in _groups(records, _rows_at_once(len(dialect.names))):
        yield Block(first, len(some), _table(some, dialect, columns))


def _records(lines: Iterator[str], dialect: CsvDialect, place: str) -> Iterator[tuple[str, int]]:
    """Yield each record as it is written, which may be several lines, and how many values it has."""
    taken: list[str] = []

    def watched() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    before, read = csv.field_size_limit(_LONGEST), 0
    try:
        for row in csv.reader(watched(), delimiter=dialect.separator):
            read += 1
            text = "".join(taken)
            taken.clear()
            if row and (len(row) > 1 or text.strip()):  # pandas takes no line of blanks for a row, either
                yield text if text.endswith(("\n", "\r")) else f"{text}\n", len(row)
    except csv.Error as error:
        raise InputError(f"{place}: cannot be read after record {read:,} ({error}); {_MEND}.") from None
    finally:
        csv.field_size_limit(before)


def _table(
    some: Sequence[tuple[str, int]], dialect: CsvDialect, columns: Columns
) -> Callable[[int, int], Any]:
    """Return what reads records of a CSV file as `kexp.data.sources.table_files.read_csv` does."""
    import pandas as pd

    letters = columns.letters
    options: dict[str, Any] = {
        "sep": dialect.separator,
        "header": None,
        "names": list(dialect.names),
        "index_col": False,
        "low_memory": False,
        "keep_default_na": False,
    }
    if letters is None:
        texts = (*dialect.codes, *columns.texts)
        options |= {"na_values": [""], "dtype": dict.fromkeys(texts, str)}
    else:
        options |= {"usecols": [letters], "dtype": str, "na_filter": False}

    def read(begin: int, end: int) -> Any:
        wanted = len(dialect.names)
        for _, width in some[begin:end]:
            if width > wanted:
                raise InputError(f"expected {wanted} values as there are column names, received {width}.")
        text = "".join(record for record, _ in some[begin:end])
        with guarded("rows", _KINDS["csv"], _MEND), warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(io.StringIO(text), **options)

    return read


def _parquet_blocks(path: Path, columns: Columns) -> Iterator[Block]:
    announced = parquet_metadata(path)
    known = announced.schema.to_arrow_schema().names
    _require(columns, known, f"file {path}")
    wanted = set(map(column_name, columns.names))
    with _parquet_file(path) as file:
        batches = file.iter_batches(
            batch_size=_rows_at_once(len(wanted)),
            columns=[one for one in known if column_name(one) in wanted],
        )
        first = 1
        while True:
            with reading(path, "a Parquet table", "write it again"):
                batch = next(batches, None)
                if batch is None:
                    return
                # What is no UTF-8 would come to light only where somebody looks at it.
                batch.validate(full=True)
                frame = batch.to_pandas()
            yield Block(first, len(frame), _frame_slices(frame))
            first += len(frame)


def _frame_slices(frame: Any) -> Callable[[int, int], Any]:
    return lambda begin, end: frame.iloc[begin:end]


@contextmanager
def _parquet_file(path: Path) -> Iterator[Any]:
    import pyarrow.parquet

    with reading(path, "a Parquet table", "write it again"):
        file = pyarrow.parquet.ParquetFile(path, page_checksum_verification=True)
    with file:
        yield file


def _require(columns: Columns, names: Sequence[str], place: str) -> None:
    """Refuse a table that lacks a column, which is no matter of a row."""
    known = set(map(column_name, names))
    missing = [name for name in columns.names if column_name(name) not in known]
    if missing:
        raise InputError(
            f"{place}: inputs lack the columns {', '.join(map(shown, missing))}, expected "
            f"{', '.join(map(repr, columns.names))}; add them, empty if unknown."
        )


def _rows_at_once(columns: int) -> int:
    return max(1, min(_MOST_ROWS, _MOST_CELLS // max(1, columns)))


def _groups(records: Iterator[Any], size: int) -> Iterator[tuple[int, list[Any]]]:
    """Yield records in lists of a size, each with the number of its first, from 1."""
    some: list[Any] = []
    first = 1
    for record in records:
        some.append(record)
        if len(some) == size:
            yield first, some
            first, some = first + size, []
    if some:
        yield first, some


def _lines(stream: BinaryIO, encoding: str, newline: str | None, place: str) -> Iterator[str]:
    """Yield the lines of a stream, their ends included: as they are written for "", as "\\n" for None."""
    text = io.TextIOWrapper(stream, encoding=encoding, newline=newline)
    while True:
        with guarded(place, f"text in {encoding.removesuffix('-sig').upper()}", _MEND):
            line = text.readline(_LONGEST)
        if not line:
            return
        if len(line) == _LONGEST:
            raise InputError(f"{place}: expected lines of less than {_LONGEST:,} characters; {_MEND}.")
        yield line


def _first_bytes(stream: BinaryIO) -> bytes:
    """Return the first bytes of a stream, of a pipe as they come."""
    parts: list[bytes] = []
    while sum(map(len, parts)) < _SAMPLE_BYTES:
        part = stream.read(_SAMPLE_BYTES - sum(map(len, parts)))
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


class _Begun(io.RawIOBase):
    """A stream of which the first bytes are read already."""

    def __init__(self, begun: bytes, rest: BinaryIO) -> None:
        self._begun, self._rest = begun, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._begun[: len(buffer)] or self._rest.read(len(buffer))
        self._begun = self._begun[len(part) :]
        buffer[: len(part)] = part
        return len(part)

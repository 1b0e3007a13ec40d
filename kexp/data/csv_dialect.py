"""The dialect of a CSV file: what stands between its columns, its encoding, and whether it names them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kexp.core.errors import InputError
from kexp.data.number_texts import NumberFormat
from kexp.data.table_options import TableOptions

SEPARATORS = (",", ";", "\t", "|")
_SAMPLED_LINES = 30
_CODE = re.compile(r"0\d+")


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV file is written.

    Attributes:
        separator: What stands between columns.
        encoding: Of its bytes.
        names: Of its columns.
        has_header: Whether they stand in its first line.
        first_row: Its first row of values; empty where there is none.
        codes: Columns with numbers that begin with zeros, as codes do.
        notes: What was found out and is to be said.
    """

    separator: str
    encoding: str
    names: tuple[str, ...]
    has_header: bool
    first_row: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def csv_dialect(path: Path, sample: bytes, table: TableOptions) -> CsvDialect:
    """Return the dialect of a file by its first bytes, as far as the caller does not say it.

    Args:
        path: The file, for messages.
        sample: Its first bytes.
        table: What the caller says.

    Raises:
        InputError: The bytes are of another encoding, or the encoding is unknown.

    Example:
        >>> csv_dialect(Path("a.csv"), b"a;b\\n1;2\\n", TableOptions()).separator
        ';'
    """
    encoding = table.encoding or _encoding(sample)
    lines = _decoded(path, sample, encoding).splitlines()
    lines = lines[:_SAMPLED_LINES] if len(lines) < 3 or len(sample) < 1 << 16 else lines[:-1][:_SAMPLED_LINES]
    said = table.separator or ""
    separator = said if said and said in _first(lines) else _separator(lines)
    rows = [row for row in csv.reader(lines, delimiter=separator) if row]
    header = rows[0] if rows else []
    has_header = table.header if table.header is not None else not _is_data(header)
    # Without a name pandas gives the same one.
    named = [name or f"Unnamed: {number}" for number, name in enumerate(header)]
    names = named if has_header else [f"column {number + 1}" for number in range(len(header))]
    values = rows[1:] if has_header else rows
    notes = []
    if separator != "," and table.separator is None:
        notes.append(f"columns are separated by {_word(separator)}.")
    if not has_header and table.header is None:
        notes.append("the first line has numbers and no names, so columns are named 'column 1' and so on.")
    if encoding not in ("utf-8-sig", table.encoding):
        notes.append(f"the encoding is {encoding}.")
    return CsvDialect(
        separator,
        encoding,
        tuple(names),
        has_header,
        tuple(values[0]) if values else (),
        _codes(names, values),
        tuple(notes),
    )


def separates(separator: str | None, sample: bytes, table: TableOptions) -> bool:
    """Return whether a text stands between the columns of a file, of which these are the first bytes."""
    if separator is None or len(separator) != 1:
        return False
    text = sample.decode(table.encoding or _encoding(sample), errors="replace")
    return separator in _first(text.splitlines())


def _encoding(sample: bytes) -> str:
    return "utf-16" if sample[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _decoded(path: Path, sample: bytes, encoding: str) -> str:
    for cut in range(4):  # the sample may end within a character
        try:
            return sample[: len(sample) - cut].decode(encoding)
        except UnicodeDecodeError as error:
            wrong = error
            if error.start < len(sample) - 4:
                break
    raise InputError(
        f"file {path}: cannot be read as a table in {'UTF-8' if encoding == 'utf-8-sig' else encoding} (byte "
        f"{sample[wrong.start]:#x} at {wrong.start:,}); convert it, or say what it is in, such as "
        "encoding='latin-1'."
    )


def _first(lines: Sequence[str]) -> str:
    return next((line for line in lines if line.strip()), "")


def _separator(lines: Sequence[str]) -> str:
    """Return what stands as often in each line as in the first; a comma where several do, or nothing does."""
    widths = {}
    for one in SEPARATORS:
        counts = {len(row) for row in csv.reader(lines, delimiter=one) if row}
        if len(counts) == 1:
            widths[one] = counts.pop()
    several = {one: width for one, width in widths.items() if width > 1}
    return max(several, key=lambda one: several[one]) if several and "," not in several else ","


def _is_data(header: Sequence[str]) -> bool:
    """Return whether a first line can only be values: numbers, one of them with a fraction."""
    form = NumberFormat()
    numbers = [form.number(cell) for cell in header]
    known = [number for number in numbers if number is not None]
    return len(known) == len(header) > 1 and any(number != round(number) for number in known)


def _codes(names: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(
        name
        for place, name in enumerate(names)
        if any(_CODE.fullmatch(row[place].strip()) for row in rows if place < len(row))
    )


def _word(separator: str) -> str:
    return "tabs" if separator == "\t" else repr(separator)

"""Tables that are written piece by piece: CSV, JSON lines and Parquet."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kexp.core.errors import InputError, shown
from kexp.core.files import replacing
from kexp.core.spreadsheets import csv_text

if TYPE_CHECKING:
    import pandas as pd

TableFormat = Literal["csv", "jsonl", "parquet"]


class TableWriter(ABC):
    """Writes tables that have the same columns one after the other."""

    @abstractmethod
    def write(self, table: pd.DataFrame) -> None:
        """Write the next rows."""

    def close(self) -> None:
        """Write what stands at the end."""
        return


class CsvWriter(TableWriter):
    """Writes CSV in which no text is a formula; see `kexp.core.spreadsheets.csv_text`.

    Args:
        put: Takes each text.
    """

    def __init__(self, put: Callable[[str], Any]) -> None:
        self._put, self._is_first = put, True

    def write(self, table: pd.DataFrame) -> None:
        self._put(csv_text(table, header=self._is_first))
        self._is_first = False


class JsonLinesWriter(TableWriter):
    """Writes an object in JSON for each row; null for what is no number.

    Args:
        put: Takes each text.

    Example:
        >>> import pandas as pd
        >>> JsonLinesWriter(print).write(pd.DataFrame({"label": ["a"], "b": [float("nan")]}))
        {"label": "a", "b": null}
        <BLANKLINE>
    """

    def __init__(self, put: Callable[[str], Any]) -> None:
        self._put = put

    def write(self, table: pd.DataFrame) -> None:
        names = _distinct(table)
        columns = [_values(column) for _, column in table.items()]
        rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
        self._put("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))


class ParquetWriter(TableWriter):
    """Writes a Parquet file, with the types of the first rows.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def write(self, table: pd.DataFrame) -> None:
        import pyarrow
        import pyarrow.parquet

        _distinct(table)
        schema = None if self._file is None else self._file.schema
        rows = pyarrow.Table.from_pandas(table, schema=schema, preserve_index=False)
        if self._file is None:
            self._file = pyarrow.parquet.ParquetWriter(self._path, rows.schema)
        self._file.write_table(rows)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@contextmanager
def table_file(path: Path, kind: TableFormat) -> Iterator[TableWriter]:
    """Yield what writes a file, which is there when all of it is written, and else stays as it was.

    Args:
        path: The file.
        kind: Its format.
    """
    with replacing(path) as temporary:
        if kind == "parquet":
            writer = ParquetWriter(temporary)
            yield writer
            writer.close()
            return
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            yield text_writer(kind, file.write)


def text_writer(kind: TableFormat, put: Callable[[str], Any]) -> TableWriter:
    """Return what hands tables on as texts."""
    return JsonLinesWriter(put) if kind == "jsonl" else CsvWriter(put)


def _distinct(table: pd.DataFrame) -> list[str]:
    names = [str(name) for name in table.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"output has two columns {shown(twice)}, which CSV alone can have; write that.")
    return names


def _values(column: pd.Series) -> list[Any]:
    """Return the values of a column as JSON has them; of float32 as few digits as tell it from others."""
    if column.dtype.kind == "f":
        return [number if number == number else None for number in map(float, column.to_numpy().astype(str))]
    return list(column.tolist())

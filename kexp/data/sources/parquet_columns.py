"""Columns of a Parquet file that is too large for memory, each read where it is asked for.

Rows in a random order cannot be read from row groups fast: each group is decoded whole, for one row of it. So
the columns are read once, one after the other, as their kinds have to be found out anyway, and what a model
takes of them is kept as plain rows in a file, of which any row is one read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from kexp.core.cache_dir import cache_dir
from kexp.core.errors import InputError
from kexp.core.foreign_files import reading
from kexp.core.memory_budget import fits_in_memory, gigabytes, require_bytes
from kexp.data.sources.table_files import CELL_BYTES, parquet_bytes, parquet_metadata, read_parquet_columns
from kexp.data.stored_arrays import require_positioned_reads

if TYPE_CHECKING:
    import pandas as pd


class ParquetColumns:
    """The columns of a Parquet file, as those of a DataFrame.

    Args:
        path: The file.

    Attributes:
        columns: Their names, as pandas has them.

    Raises:
        InputError: It is damaged, or a single column does not fit into memory.
    """

    def __init__(self, path: Path) -> None:
        require_positioned_reads()
        self._path, self._announced = path, parquet_metadata(path)
        require_bytes(len(self) * CELL_BYTES, f"a column of file {path}")
        with reading(path, "a Parquet table", "write it again"):
            self.columns = list(self._announced.schema.to_arrow_schema().empty_table().to_pandas().columns)

    def __len__(self) -> int:
        return int(self._announced.num_rows)

    def column(self, position: int) -> pd.Series:
        """Return a column by its place."""
        name = str(self.columns[position])
        return read_parquet_columns(self._path, self._announced, [name]).iloc[:, 0]

    def note(self) -> str:
        """Return what is to be said of it, a sentence."""
        return (
            f"{len(self):,} rows are read from disk while they are trained on: in memory they would take "
            f"about {gigabytes(parquet_bytes(self._path, self._announced))}. Their columns are in "
            f"{cache_dir()} as long as the process lasts."
        )


Table = Union["pd.DataFrame", ParquetColumns]


def column_at(table: Any, position: int) -> pd.Series:
    """Return a column of a table by its place."""
    return table.column(position) if isinstance(table, ParquetColumns) else table.iloc[:, position]


def reads_columns(path: Path, in_memory: bool | None, text: str | None) -> bool:
    """Return whether a Parquet file is read column by column, and its rows from disk.

    Args:
        path: The file.
        in_memory: What was asked for.
        text: The column of texts that is the only input, which is held in memory.

    Raises:
        InputError: Texts are to be read from disk.
    """
    if text is not None:
        if in_memory is False:
            raise InputError("in_memory=False: a column of texts is held in memory; leave in_memory out.")
        return False
    if in_memory is None:
        in_memory = fits_in_memory(parquet_bytes(path, parquet_metadata(path)))
    return not in_memory

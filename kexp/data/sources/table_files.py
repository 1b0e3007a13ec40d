"""Files of tables: CSV and Parquet, with the names of their columns checked and their size known before."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexp.core.compressed_files import Watched, open_within_budget, sample_of
from kexp.core.errors import InputError, shown
from kexp.core.foreign_files import guarded, reading
from kexp.core.memory_budget import Meter, max_bytes, require_bytes
from kexp.core.reading_progress import shown_work
from kexp.data.csv_dialect import CsvDialect, csv_dialect
from kexp.data.csv_dialect import separates as stands_between
from kexp.data.strings import is_unicode
from kexp.data.table_options import TableOptions

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.parquet

# A model of a table has an input for each column, and so many are a second or two of pandas.
MOST_COLUMNS = 20_000
_CSV = "a comma-separated table in UTF-8"
_PARQUET = "a Parquet table"
_MEND = "mend or convert it"
_AGAIN = "write it again"
CELL_BYTES = 16  # of a number, or a pointer, while pandas reads it and afterwards


def read_csv(path: Path, categories: Sequence[str] = (), text: str | Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV file, .gz or not, whose dialect is found out; text stays text.

    Args:
        path: The file.
        categories: Columns of strings whatever they look like: left to itself, pandas turns the category
            "007" into the number 7 where a file holds nothing else.
        text: Column, or several, taken to the letter: there "" is a text and no missing value.

    Raises:
        InputError: For an empty file, repeated names, rows of uneven length or other encodings than UTF-8,
            and for more than fits into memory.
    """
    return read_csv_table(path, categories, text)[0]


def read_csv_table(
    path: Path,
    categories: Sequence[str] = (),
    text: str | Sequence[str] = (),
    table: TableOptions | None = None,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read a CSV file as `read_csv`, as its owner says it is written, and return what was found out too.

    Only an empty cell is a missing value here: what words mean, the columns say.

    Args:
        path: The file.
        categories: As for `read_csv`.
        text: As for `read_csv`.
        table: How it is written; default: found out.
    """
    import pandas as pd

    dialect = _checked_dialect(path, table or TableOptions())
    place, dtype = f"file {path}", dict.fromkeys((*dialect.codes, *categories), str)
    written: dict[str, Any] = {
        "sep": dialect.separator,
        "encoding": dialect.encoding,
        "header": 0 if dialect.has_header else None,
        "names": list(dialect.names),
        "index_col": False,
    }
    options = {"low_memory": False, "dtype": dtype, "keep_default_na": False, "na_values": [""]}
    with (
        _opened(path, f"reading {path.name}") as file,
        guarded(place, _CSV, _MEND),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error", pd.errors.ParserWarning)  # longer rows are cut with a warning only
        frame = pd.read_csv(file, **written, **options)
    for column in {text} if isinstance(text, str) else text:
        if column in frame.columns:
            title = f"reading {shown(column)} of {path.name}"
            with _opened(path, title) as file, guarded(place, _CSV, _MEND):
                letters = pd.read_csv(file, **written, usecols=[column], dtype=str, na_filter=False)
            frame[column] = letters[column]
    return frame, dialect.notes


@contextmanager
def _opened(path: Path, title: str) -> Iterator[Any]:
    """Open a CSV file, whose bytes are counted as they are read; a compressed one does not say how many."""
    size = None if path.suffix.lower() == ".gz" else path.stat().st_size
    with open_within_budget(path, _CSV, _MEND) as file, shown_work(title, size, "bytes") as work:
        yield Watched(file, work)


def separates(path: Path, table: TableOptions) -> bool:
    """Return whether the separator of options stands between the columns of a CSV file."""
    return table.separator is not None and stands_between(
        table.separator, sample_of(path, _CSV, _MEND)[0], table
    )


def _checked_dialect(path: Path, table: TableOptions) -> CsvDialect:
    """Look at the names before pandas does, which renames repeated ones without a word."""
    sample, count = sample_of(path, _CSV, _MEND)
    with guarded(f"file {path}", _CSV, _MEND):
        dialect = csv_dialect(path, sample, table)
    if not dialect.names:
        raise InputError(
            f"file {path}: expected a line of column names and a row per sample, received nothing."
        )
    require_columns(f"file {path}", dialect.names)
    if len(dialect.first_row) > len(dialect.names):  # pandas would have it say how many columns there are
        raise InputError(
            f"file {path}: expected rows of {len(dialect.names)} values as there are column names, received "
            f"{len(dialect.first_row):,} in the first; mend it."
        )
    cells = sample.count(dialect.separator.encode()) + sample.count(b"\n")
    require_bytes(count + count * cells * CELL_BYTES // len(sample), f"file {path}")
    return dialect


def require_columns(place: str, names: Sequence[str]) -> None:
    """Refuse names of columns that a model cannot have.

    Args:
        place: The file or the data, for messages.
        names: Of all columns.

    Raises:
        InputError: They are too many, one stands there twice, or is no Unicode.
    """
    if len(names) > MOST_COLUMNS:
        raise InputError(
            f"{place}: expected at most {MOST_COLUMNS:,} columns, received {len(names):,}; choose among "
            "them, or pass those that are alike as one array, such as an .npz file has."
        )
    repeated = [column for column, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(
            f"{place}: expected every column name once, received {shown(repeated[0])} more than once; rename "
            "one."
        )
    strange = [column for column in names if not is_unicode(column)]
    if strange:
        raise InputError(
            f"{place}: expected column names that UTF-8 can say, without NUL characters, received "
            f"{shown(strange[0])}; rename it."
        )


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file.

    Raises:
        InputError: For a file that is none or is damaged, and for more than fits into memory.
    """
    announced = parquet_metadata(path)
    require_bytes(parquet_bytes(path, announced), f"file {path}")
    return read_parquet_columns(path, announced)


def parquet_metadata(path: Path) -> pyarrow.parquet.FileMetaData:
    """Return what a Parquet file announces.

    Raises:
        InputError: It is none, or has columns that a model cannot have.
    """
    import pyarrow.parquet

    with reading(path, _PARQUET, _AGAIN):
        announced = pyarrow.parquet.read_metadata(path)
        names = list(announced.schema.to_arrow_schema().names)
    require_columns(f"file {path}", names)
    return announced


def parquet_bytes(path: Path, announced: pyarrow.parquet.FileMetaData) -> int:
    """Return how many bytes a Parquet file takes in memory, at least, by what it announces."""
    with reading(path, _PARQUET, _AGAIN):
        groups = [announced.row_group(number) for number in range(announced.num_row_groups)]
        unpacked = sum(group.total_byte_size for group in groups)
        names = announced.schema.to_arrow_schema().names
    return max(unpacked, announced.num_rows * len(names) * CELL_BYTES)


def read_parquet_columns(
    path: Path, announced: pyarrow.parquet.FileMetaData, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read columns of a Parquet file.

    Args:
        path: The file.
        announced: By `parquet_metadata`.
        columns: Their names; None: all.

    Raises:
        InputError: The file is damaged, or its texts do not fit into memory.
    """
    import pandas as pd
    import pyarrow.parquet

    chosen = None if columns is None else list(columns)
    with reading(path, _PARQUET, _AGAIN):
        texts = [name for name in _texts(announced) if chosen is None or name in chosen]
        groups = [announced.row_group(number) for number in range(announced.num_row_groups)]
        repeated = sum(group.total_byte_size * group.num_rows for group in groups)
    if repeated > max_bytes():
        _require_texts(path, texts)
    with reading(path, _PARQUET, _AGAIN):
        if texts:
            # What is no UTF-8 would come to light only where somebody looks at it.
            pyarrow.parquet.read_table(path, columns=texts).validate(full=True)
        with shown_work(f"reading {path.name}"):
            # Where there are checksums, they are compared.
            return pd.read_parquet(path, columns=chosen, page_checksum_verification=True)


def _texts(announced: pyarrow.parquet.FileMetaData) -> list[str]:
    """Return the names of the columns of texts."""
    columns = [announced.schema.column(number) for number in range(announced.num_columns)]
    return [one.path for one in columns if one.physical_type == "BYTE_ARRAY" and "." not in one.path]


def _require_texts(path: Path, texts: list[str]) -> None:
    """Refuse texts of which each stands in the file once, and in memory as often as a row has it."""
    import pyarrow.compute
    import pyarrow.parquet

    meter = Meter(f"file {path}")
    with reading(path, _PARQUET, _AGAIN), pyarrow.parquet.ParquetFile(path, read_dictionary=texts) as file:
        for batch in file.iter_batches(columns=texts) if texts else ():
            for column in batch.columns:
                lengths = pyarrow.compute.binary_length(column.dictionary)
                meter.add(pyarrow.compute.sum(lengths.take(column.indices)).as_py() or 0)

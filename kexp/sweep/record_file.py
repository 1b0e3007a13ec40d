"""The file of a sweep's record: its tables, and what is said when SQLite cannot read it."""

from __future__ import annotations

import functools
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.core.foreign_files import reason, require_regular_file
from kexp.data.strings import is_unicode

RECORD = "sweep.sqlite"
ADVICE = "restore it, or sweep again into another dir"
_WHAT = "the record of a sweep"
# What SQLite says when the cause is the file, not a statement of ours.
_OF_THE_FILE = (
    *("not a database", "malformed", "unsupported file format", "unable to open", "readonly", "read-only"),
    *("disk i/o error", "could not decode", "access permission denied"),
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (
    number INTEGER PRIMARY KEY,
    searched TEXT NOT NULL,                  -- values by dimension
    arguments TEXT NOT NULL,                 -- of the recipe
    state TEXT NOT NULL DEFAULT 'waiting',
    owner TEXT,                              -- the worker that holds the lease
    token INTEGER NOT NULL DEFAULT 0,        -- grows with every lease; a write with an older one is void
    heartbeat REAL NOT NULL DEFAULT 0,       -- seconds of the machine's monotonic clock
    deaths INTEGER NOT NULL DEFAULT 0,       -- of workers, since the newest checkpoint
    step INTEGER NOT NULL DEFAULT 0,         -- of the newest checkpoint at the last death
    metrics TEXT,
    score REAL,
    error TEXT,
    seconds REAL NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    stripped INTEGER NOT NULL DEFAULT 0,     -- whether its weights were removed
    told INTEGER NOT NULL DEFAULT 0          -- whether the algorithm has heard how it ended
);
CREATE TABLE IF NOT EXISTS workers (owner TEXT PRIMARY KEY, heartbeat REAL NOT NULL);
CREATE TABLE IF NOT EXISTS epochs (trial INTEGER, epoch INTEGER, figure REAL, PRIMARY KEY (trial, epoch));
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, trial INTEGER, content TEXT NOT NULL
);
"""


class RecordLocked(InputError):
    """Another process holds the record, and did not let go of it in time."""


@contextmanager
def file_trouble_explained(path: Path) -> Iterator[None]:
    """Say in one sentence what is wrong with the file of a record; a full disk and our own faults stay.

    Raises:
        RecordLocked: Another process holds it.
        InputError: It is no database, damaged, or cannot be opened or written.
    """
    try:
        yield
    except sqlite3.Error as error:
        said = str(error)
        if "locked" in said:
            raise RecordLocked(
                f"file {path}: is locked by another process; wait for its end, or end it, and repeat this."
            ) from None
        if not any(words in said.lower() for words in _OF_THE_FILE):
            raise
        raise InputError(f"file {path}: cannot be read as {_WHAT} ({reason(error)}); {ADVICE}.") from None


def require_unicode(content: Any, place: str) -> None:
    """Refuse JSON values with text that no table or page can show.

    Raises:
        InputError: A name or a value has half of a surrogate pair, or a NUL.
    """
    if isinstance(content, str):
        if not is_unicode(content):
            shown = content[:60]
            raise InputError(f"{place}: must be text that UTF-8 can say, received {shown!r}; {ADVICE}.")
    elif isinstance(content, Mapping):
        for name, value in content.items():
            require_unicode(name, place)
            require_unicode(value, place)
    elif isinstance(content, list):
        for value in content:
            require_unicode(value, place)


def open_record(directory: Path, *, create: bool, patience_s: float) -> sqlite3.Connection:
    """Return a connection to the record in a sweep folder, once it is known to be one.

    Args:
        directory: The sweep folder.
        create: Make the file if it is not there, and the tables that it lacks.
        patience_s: How long to wait for another process to let go of it.

    Raises:
        InputError: It is no record of a sweep, or cannot be opened.
    """
    path = directory / RECORD
    if not create or os.path.lexists(path):
        require_regular_file(path, _WHAT, ADVICE)
    with file_trouble_explained(path):
        uri = f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
        connection = sqlite3.connect(uri, uri=True, timeout=patience_s, isolation_level=None)
        try:
            _require_record(connection, path, may_be_new=create)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            if create:
                connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
    return connection


def _require_record(connection: sqlite3.Connection, path: Path, *, may_be_new: bool) -> None:
    """Refuse a file that is damaged or holds other tables; a new one may be as a kill has left it."""
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise InputError(f"file {path}: is damaged ({' '.join(str(verdict).split())}); {ADVICE}.")
    received, wanted = _columns(connection), _wanted_columns()
    for table, columns in wanted.items():
        lacks = sorted(columns - received.get(table, columns if may_be_new else set()))
        if lacks:
            raise InputError(f"file {path}: is not {_WHAT}, its {table} lack {lacks[0]}; {ADVICE}.")
    others = sorted(received.keys() - wanted)
    if others:
        raise InputError(f"file {path}: is not {_WHAT}, it holds a table {others[0]!r}; {ADVICE}.")
    trials = path.parent / "trials"
    if not received and trials.is_dir() and any(trials.iterdir()):
        raise InputError(f"file {path}: is empty, and there are trials beside it; {ADVICE}.")


@functools.cache
def _wanted_columns() -> dict[str, set[str]]:
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(_SCHEMA)
        return _columns(connection)
    finally:
        connection.close()


def _columns(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Return the names of the columns of each table."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    found: dict[str, set[str]] = {}
    for (table,) in tables:
        if not str(table).startswith("sqlite_"):
            rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
            found[table] = {name for (name,) in rows}
    return found

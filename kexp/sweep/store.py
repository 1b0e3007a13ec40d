"""The sweep's record: SQLite in its folder, one transaction per change, every write of a worker fenced."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from kexp.core.search import TrialState
from kexp.sweep.metadata import Entry
from kexp.sweep.state import Completed, Ending, Event, EventKind, Failed, Pruned, Stopped, Trial

T = TypeVar("T")

_PATIENCE_S = 10.0  # with a lock of another process

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


class Store:
    """A connection to the record; every thread and process makes its own.

    Args:
        directory: The sweep folder.
        create: Make the file if it is not there.
    """

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        path = directory / "sweep.sqlite"
        self._connection = sqlite3.connect(
            f"file:{path}?mode={'rwc' if create else 'rw'}",
            uri=True,
            timeout=_PATIENCE_S,
            isolation_level=None,
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        if create:
            self._connection.executescript(_SCHEMA)
        self._cached: tuple[tuple[int, int], list[Trial]] = ((-1, -1), [])

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Take the write lock before anything is read, so that what is decided still holds when written."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def read(self, entry: Entry[T]) -> T | None:
        """Return the value of an entry, or None when there is none."""
        query = "SELECT content FROM facts WHERE name = ?"
        row = self._connection.execute(query, (entry.name,)).fetchone()
        return entry.read(None if row is None else row["content"])

    def require(self, entry: Entry[T]) -> T:
        """Return the value of an entry that every sweep has."""
        value = self.read(entry)
        if value is None:
            raise LookupError(f"The record has no entry {entry.name!r}.")
        return value

    def write(self, *entries: tuple[str, str]) -> None:
        """Write entries, all or none of them; each as `Entry.written` gives it."""
        with self.transaction() as connection:
            for written in entries:
                connection.execute("REPLACE INTO facts VALUES (?, ?)", written)

    def trials(self) -> list[Trial]:
        """Return all trials in the order of their numbers; read again only after a change."""
        # The first counts what other connections have committed, the second what this one has changed.
        others = self._connection.execute("PRAGMA data_version").fetchone()[0]
        version = (others, self._connection.total_changes)
        if version != self._cached[0]:
            rows = self._connection.execute("SELECT * FROM trials ORDER BY number")
            self._cached = (version, [Trial.from_row(row) for row in rows])
        return list(self._cached[1])

    def events(self) -> list[Event]:
        """Return what the algorithm was asked and told, in order."""
        rows = self._connection.execute("SELECT * FROM events ORDER BY sequence")
        return [Event(EventKind(row["kind"]), row["trial"], json.loads(row["content"])) for row in rows]

    def add_event(self, event: Event) -> None:
        with self.transaction() as connection:
            _add_event(connection, event)

    def create(
        self, number: int, searched: Mapping[str, Any], arguments: Mapping[str, Any], trials: int
    ) -> None:
        """Add a waiting trial, or have one that has ended wait again with other arguments."""
        row = (number, json.dumps(searched), json.dumps(arguments))
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO trials (number, searched, arguments) VALUES (?, ?, ?) ON CONFLICT (number) DO "
                "UPDATE SET arguments = excluded.arguments, state = 'waiting', told = 0, deaths = 0",
                row,
            )
            _add_event(connection, Event(EventKind.ASKED, number, trials))

    def mark_reported(self, number: int, score: float | None, state: TrialState, error: str | None) -> None:
        """Record that the algorithm was told how a trial ended."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE trials SET told = 1, score = ?, state = ?, error = ? WHERE number = ?",
                (score, state.value, error, number),
            )
            _add_event(connection, Event(EventKind.REPORTED, number, score))

    def claim(self, owner: str) -> Trial | None:
        """Lease the first waiting trial to a worker, or return None when there is none."""
        with self.transaction() as connection:
            row = connection.execute(
                "UPDATE trials SET state = 'running', owner = ?, token = token + 1, heartbeat = ? "
                "WHERE number = (SELECT min(number) FROM trials WHERE state = 'waiting') RETURNING *",
                (owner, time.monotonic()),
            ).fetchone()
        return None if row is None else Trial.from_row(row)

    def heartbeat(self, owner: str) -> None:
        """Record that a worker lives, whether or not it holds a trial."""
        with self.transaction() as connection:
            connection.execute("REPLACE INTO workers VALUES (?, ?)", (owner, time.monotonic()))

    def heartbeats(self) -> dict[str, float]:
        """Return when each worker was last alive, in seconds of the monotonic clock."""
        return {row["owner"]: row["heartbeat"] for row in self._connection.execute("SELECT * FROM workers")}

    def extend_lease(self, number: int, token: int, seconds: float) -> bool:
        """Extend the lease of a trial; False when it is no longer this token's."""
        return self._fenced(number, token, {"heartbeat": time.monotonic(), "seconds": seconds})

    def add_epoch_metric(self, number: int, token: int, epoch: int, value: float) -> bool:
        """Record a trial's target metric after an epoch; False when the lease is lost."""
        with self.transaction() as connection:
            cursor = connection.execute(
                "REPLACE INTO epochs SELECT ?, ?, ? FROM trials WHERE number = ? AND token = ?",
                (number, epoch, value, number, token),
            )
            return cursor.rowcount == 1

    def epoch_metrics(self, epoch: int) -> list[float]:
        """Return the target metric of each completed trial after an epoch."""
        table = "epochs JOIN trials ON number = trial"
        query = f"SELECT figure FROM {table} WHERE epoch = ? AND state = 'completed'"
        return [row["figure"] for row in self._connection.execute(query, (epoch,))]

    def end(self, number: int, token: int, outcome: Ending, **more: float) -> bool:
        """Record how the run of a trial ended; False, and nothing is changed, when the lease is lost.

        Args:
            number: The trial.
            token: Of the lease.
            outcome: A stopped trial waits to be continued.
            **more: Further columns.
        """
        return self._fenced(number, token, {**_columns(outcome), "owner": None, **more})

    def update(self, number: int, **columns: Any) -> None:
        """Change columns of a trial that no worker holds."""
        with self.transaction() as connection:
            _set(connection, "WHERE number = ?", (number,), columns)

    def release_all(self) -> None:
        """Have every running trial wait again, when it is certain that no worker is left."""
        with self.transaction() as connection:
            connection.execute("UPDATE trials SET state = 'waiting', owner = NULL WHERE state = 'running'")
            connection.execute("DELETE FROM workers")

    def _fenced(self, number: int, token: int, columns: Mapping[str, Any]) -> bool:
        with self.transaction() as connection:
            where = "WHERE number = ? AND token = ? AND state = 'running'"
            return _set(connection, where, (number, token), columns) == 1


def _columns(outcome: Ending) -> dict[str, Any]:
    """Return the columns that the outcome of a run sets."""
    match outcome:
        case Completed(metrics):
            return {"state": TrialState.COMPLETED.value, "metrics": json.dumps(metrics), "error": None}
        case Failed(error):
            return {"state": TrialState.FAILED.value, "error": error}
        case Pruned(reason, metrics):
            return {"state": TrialState.PRUNED.value, "metrics": json.dumps(metrics), "error": reason}
        case Stopped():
            return {"state": TrialState.WAITING.value}


def _set(
    connection: sqlite3.Connection, where: str, keys: tuple[int, ...], columns: Mapping[str, Any]
) -> int:
    assignments = ", ".join(f"{name} = ?" for name in columns)
    return connection.execute(f"UPDATE trials SET {assignments} {where}", (*columns.values(), *keys)).rowcount


def _add_event(connection: sqlite3.Connection, event: Event) -> None:
    connection.execute(
        "INSERT INTO events (kind, trial, content) VALUES (?, ?, ?)",
        (event.kind.value, event.trial, json.dumps(event.content)),
    )

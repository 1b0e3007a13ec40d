"""The sweep's record: SQLite in its folder, one transaction per change, every write of a worker fenced."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from kexp.core.errors import InputError
from kexp.core.search import TrialState
from kexp.sweep.metadata import Entry
from kexp.sweep.record_file import ADVICE, RECORD, file_trouble_explained, open_record
from kexp.sweep.state import Completed, Ending, Event, EventKind, Failed, Pruned, Stopped, Trial

T = TypeVar("T")

_PATIENCE_S = 10.0  # with a lock of another process
FIRST_PATIENCE_S = 2.0  # likewise, of somebody who waits for an answer


class Store:
    """A connection to the record; every thread and process makes its own.

    Args:
        directory: The sweep folder.
        create: Make the file if it is not there.
        patience_s: How long to wait for another process to let go of it; default 10 seconds.

    Raises:
        InputError: The file is no record of a sweep, damaged, or locked by another process; its methods
            raise it, too.
    """

    def __init__(self, directory: Path, *, create: bool = False, patience_s: float = _PATIENCE_S) -> None:
        self.path = directory / RECORD
        self._connection = open_record(directory, create=create, patience_s=patience_s)
        self._connection.row_factory = sqlite3.Row
        self._cached: tuple[tuple[int, int], list[Trial]] = ((-1, -1), [])

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Take the write lock before anything is read, so that what is decided still holds when written."""
        with file_trouble_explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself has ended it when the disk is full
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def read(self, entry: Entry[T]) -> T | None:
        """Return the value of an entry, or None when there is none."""
        rows = self._select("SELECT content FROM facts WHERE name = ?", (entry.name,))
        return entry.read(rows[0]["content"] if rows else None, f"file {self.path}")

    def require(self, entry: Entry[T]) -> T:
        """Return the value of an entry that every sweep has."""
        value = self.read(entry)
        if value is None:
            raise InputError(f"file {self.path}: has no entry {entry.name!r}; {ADVICE}.")
        return value

    def write(self, *entries: tuple[str, str]) -> None:
        """Write entries, all or none of them; each as `Entry.written` gives it."""
        with self.transaction() as connection:
            for written in entries:
                connection.execute("REPLACE INTO facts VALUES (?, ?)", written)

    def update_entry(self, entry: Entry[T], change: Callable[[T | None], T]) -> None:
        """Change an entry, whoever else does so at the same time."""
        with self.transaction() as connection:
            connection.execute("REPLACE INTO facts VALUES (?, ?)", entry.written(change(self.read(entry))))

    def trials(self) -> list[Trial]:
        """Return all trials in the order of their numbers; read again only after a change."""
        # The first counts what other connections have committed, the second what this one has changed.
        others = self._select("PRAGMA data_version")[0][0]
        version = (others, self._connection.total_changes)
        if version != self._cached[0]:
            rows = self._select("SELECT * FROM trials ORDER BY number")
            self._cached = (version, [Trial.from_row(row, f"file {self.path}") for row in rows])
        return list(self._cached[1])

    def events(self) -> list[Event]:
        """Return what the algorithm was asked and told, in order."""
        rows = self._select("SELECT * FROM events ORDER BY sequence")
        return [Event.from_row(row, f"file {self.path}") for row in rows]

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
        return None if row is None else Trial.from_row(row, f"file {self.path}")

    def heartbeat(self, owner: str) -> None:
        """Record that a worker lives, whether or not it holds a trial."""
        with self.transaction() as connection:
            connection.execute("REPLACE INTO workers VALUES (?, ?)", (owner, time.monotonic()))

    def heartbeats(self) -> dict[str, float]:
        """Return when each worker was last alive, in seconds of the monotonic clock."""
        return {row["owner"]: row["heartbeat"] for row in self._select("SELECT * FROM workers")}

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
        return [row["figure"] for row in self._select(query, (epoch,))]

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

    def _select(self, query: str, values: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        with file_trouble_explained(self.path):
            return self._connection.execute(query, values).fetchall()

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

"""The sweep's record: SQLite in its folder, one transaction per change, every write of a worker fenced."""

from __future__ import annotations

import functools
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

State = Literal["waiting", "running", "completed", "failed", "pruned"]
_PATIENCE_S = 10.0  # with a lock of another process
ENDED: tuple[State, ...] = ("completed", "failed", "pruned")

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


@dataclass(frozen=True)
class Trial:
    """A row of the table of trials; see the schema."""

    number: int
    searched: dict[str, Any]
    arguments: dict[str, Any]
    state: State
    owner: str | None
    token: int
    heartbeat: float
    deaths: int
    step: int
    metrics: dict[str, float]
    score: float | None
    error: str | None
    seconds: float
    bytes: int
    stripped: bool
    told: bool

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Trial:
        """Return the trial that a row of the table holds."""
        fields = dict(row)
        for name in ("searched", "arguments", "metrics"):
            fields[name] = dict(_parsed(fields[name] or "{}"))
        return cls(**{**fields, "stripped": bool(fields["stripped"]), "told": bool(fields["told"])})


@functools.lru_cache(maxsize=10_000)
def _parsed(text: str) -> dict[str, Any]:
    return json.loads(text)


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
        self._read: tuple[tuple[int, int], list[Trial]] = ((-1, -1), [])

    def close(self) -> None:
        """Close the file."""
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

    def fact(self, name: str, default: Any = None) -> Any:
        """Return what is stored by a name."""
        row = self._connection.execute("SELECT content FROM facts WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row["content"])

    def set_facts(self, **facts: Any) -> None:
        """Store values by name, all or none."""
        with self.transaction() as connection:
            for name, content in facts.items():
                connection.execute("REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(content)))

    def trials(self) -> list[Trial]:
        """Return all trials in the order of their numbers; read again only after a change."""
        # The first counts what other connections have committed, the second what this one has changed.
        others = self._connection.execute("PRAGMA data_version").fetchone()[0]
        version = (others, self._connection.total_changes)
        if version != self._read[0]:
            rows = self._connection.execute("SELECT * FROM trials ORDER BY number")
            self._read = (version, [Trial.from_row(row) for row in rows])
        return list(self._read[1])

    def events(self) -> list[tuple[str, int | None, Any]]:
        """Return what the algorithm was asked and told, in order."""
        rows = self._connection.execute("SELECT * FROM events ORDER BY sequence")
        return [(row["kind"], row["trial"], json.loads(row["content"])) for row in rows]

    def add_event(self, kind: str, trial: int | None = None, content: Any = None) -> None:
        """Store that something happened, to a trial or to the sweep."""
        with self.transaction() as connection:
            _add_event(connection, kind, trial, content)

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
            _add_event(connection, "asked", number, trials)

    def tell(self, number: int, score: float | None, state: State, error: str | None) -> None:
        """Record that the algorithm has heard how a trial ended."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE trials SET told = 1, score = ?, state = ?, error = ? WHERE number = ?",
                (score, state, error, number),
            )
            _add_event(connection, "told", number, score)

    def claim(self, owner: str) -> Trial | None:
        """Lease the first waiting trial to a worker, or return None when there is none."""
        with self.transaction() as connection:
            row = connection.execute(
                "UPDATE trials SET state = 'running', owner = ?, token = token + 1, heartbeat = ? "
                "WHERE number = (SELECT min(number) FROM trials WHERE state = 'waiting') RETURNING *",
                (owner, time.monotonic()),
            ).fetchone()
        return None if row is None else Trial.from_row(row)

    def beat(self, owner: str) -> None:
        """Record that a worker lives, whether or not it holds a trial."""
        with self.transaction() as connection:
            connection.execute("REPLACE INTO workers VALUES (?, ?)", (owner, time.monotonic()))

    def beats(self) -> dict[str, float]:
        """Return when each worker was last alive, in seconds of the monotonic clock."""
        return {row["owner"]: row["heartbeat"] for row in self._connection.execute("SELECT * FROM workers")}

    def extend(self, number: int, token: int, seconds: float) -> bool:
        """Extend the lease of a trial; False when it is no longer this token's."""
        return self._fenced(number, token, {"heartbeat": time.monotonic(), "seconds": seconds})

    def report(self, number: int, token: int, epoch: int, figure: float) -> bool:
        """Record a trial's figure after an epoch; False when the lease is lost."""
        with self.transaction() as connection:
            cursor = connection.execute(
                "REPLACE INTO epochs SELECT ?, ?, ? FROM trials WHERE number = ? AND token = ?",
                (number, epoch, figure, number, token),
            )
            return cursor.rowcount == 1

    def reports(self, epoch: int) -> list[float]:
        """Return the figures that completed trials had after an epoch."""
        table = "epochs JOIN trials ON number = trial"
        query = f"SELECT figure FROM {table} WHERE epoch = ? AND state = 'completed'"
        return [row["figure"] for row in self._connection.execute(query, (epoch,))]

    def complete(self, number: int, token: int, metrics: Mapping[str, float], **more: Any) -> bool:
        """Record a trial's figures; False, and nothing is changed, when the lease is lost."""
        figures = {"metrics": json.dumps(metrics), "error": None}
        return self._fenced(number, token, {**figures, "state": "completed", "owner": None, **more})

    def fail(self, number: int, token: int, error: str, *, state: State = "failed", **more: Any) -> bool:
        """Record why a trial has no result; False, and nothing is changed, when the lease is lost."""
        return self._fenced(number, token, {"state": state, "error": error, "owner": None, **more})

    def release(self, number: int, token: int, **more: Any) -> bool:
        """Give a trial back to be continued; False, and nothing is changed, when the lease is lost."""
        return self._fenced(number, token, {"state": "waiting", "owner": None, **more})

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


def _set(
    connection: sqlite3.Connection, where: str, keys: tuple[int, ...], columns: Mapping[str, Any]
) -> int:
    assignments = ", ".join(f"{name} = ?" for name in columns)
    return connection.execute(f"UPDATE trials SET {assignments} {where}", (*columns.values(), *keys)).rowcount


def _add_event(connection: sqlite3.Connection, kind: str, trial: int | None, content: Any) -> None:
    connection.execute(
        "INSERT INTO events (kind, trial, content) VALUES (?, ?, ?)", (kind, trial, json.dumps(content))
    )

"""The table of all folds: rows, metrics, time and how each ended."""

from __future__ import annotations

from kexp.report.folds_record import FoldsRecord
from kexp.report.html import duration, heading, short, table

ORDER = 30


def applies(record: FoldsRecord) -> bool:
    """True once a fold has begun."""
    return bool(record.rows)


def html(record: FoldsRecord) -> str:
    """HTML of the section."""
    measured = [name for name in record.rows[0] if name.startswith("test_")]
    failed = any(row["error"] for row in record.rows)
    sizes = [name for name in record.rows[0] if name.endswith(" rows")]
    columns = ["repeat", "fold", "state", *sizes, *measured]
    shown = [
        [
            *("" if row[name] is None else row[name] for name in columns),
            duration(row["seconds"]),
            *([short((row["error"] or "").strip().rpartition("\n")[2])] if failed else []),
        ]
        for row in record.rows
    ]
    titles = [name.removeprefix("test_").replace("_", " ") for name in columns]
    listed = table([*titles, "time", *(["error"] if failed else [])], shown)
    return f"<section>{heading('All folds')}{listed}</section>"

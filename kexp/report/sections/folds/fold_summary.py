"""The summary of a cross-validation: folds, how they ended, time and arguments."""

from __future__ import annotations

from collections import Counter

from kexp.data.memory_forms import argument_label
from kexp.report.folds_record import FoldsRecord
from kexp.report.html import definitions, duration

ORDER = 10


def applies(record: FoldsRecord) -> bool:
    """True for every cross-validation."""
    return True


def html(record: FoldsRecord) -> str:
    """HTML of the section."""
    times = f", {record.repeats} times" if record.repeats > 1 else ""
    states = Counter(str(row["state"]) for row in record.rows)
    facts = {
        "divided into": f"{record.folds} folds{times}",
        "runs": ", ".join(f"{count} {state}" for state, count in states.items()) or "none yet",
        "time": duration(sum(row["seconds"] for row in record.rows)),
        "arguments": ", ".join(f"{name} {argument_label(value)}" for name, value in record.arguments.items()),
    }
    return definitions(facts)

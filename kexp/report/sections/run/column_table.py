"""The columns of a table: what each was taken for, with what was found in it."""

from __future__ import annotations

from kexp.report.html import heading, table
from kexp.report.reported import ReportedRun

ORDER = 45
_MOST = 200


def applies(run: ReportedRun) -> bool:
    """True for a run on a table."""
    return bool(run.spec.column_facts)


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    facts = run.spec.column_facts
    shown = [
        [one.name, one.kind, one.distinct, one.missing, ", ".join(one.examples), " ".join(one.notes)]
        for one in facts[:_MOST]
    ]
    more = f"<p>The first {_MOST} of {len(facts):,} columns.</p>" if len(facts) > _MOST else ""
    names = ["column", "kind", "distinct", "missing", "such as", "notes"]
    return f"<section>{heading('Columns')}{more}{table(names, shown)}</section>"

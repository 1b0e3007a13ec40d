"""What the network learned, where that was asked for."""

from __future__ import annotations

from html import escape

from kexp.report.html import heading
from kexp.report.reported import ReportedRun
from kexp.report.sections import render_sections

ORDER = 190
TITLE = "What the network learned"


def applies(run: ReportedRun) -> bool:
    """True where it was asked for."""
    return run.findings is not None


def html(run: ReportedRun) -> str:
    """HTML of the section, and of those of the explanation."""
    assert run.findings is not None
    notes = "".join(f"<p>{escape(note)}</p>" for note in run.findings.notes)
    return f"<section>{heading(TITLE)}{notes}</section>" + "\n".join(
        render_sections("explanation", run.findings)
    )

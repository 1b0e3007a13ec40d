"""The best trials over fresh seeds."""

from __future__ import annotations

from html import escape

from kexp.report.html import heading
from kexp.report.reported import ReportedSweep

ORDER = 80


def applies(sweep: ReportedSweep) -> bool:
    """True for a sweep whose best trials were trained again."""
    return bool(sweep.record.retraining)


def html(sweep: ReportedSweep) -> str:
    """HTML of the section."""
    return heading("Retrained over fresh seeds") + f"<pre>{escape(sweep.record.retraining)}</pre>"

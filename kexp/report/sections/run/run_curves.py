"""The learning curves of a run."""

from __future__ import annotations

from kexp.report.drawing import style
from kexp.report.html import figure_section
from kexp.report.reported import ReportedRun
from kexp.run.learning_curves import draw_curves

ORDER = 40


def applies(run: ReportedRun) -> bool:
    """True for every run."""
    return True


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    with style():
        return figure_section("Learning curves", draw_curves(run.record.history))

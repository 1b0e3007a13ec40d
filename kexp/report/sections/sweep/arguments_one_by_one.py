"""The score against each argument, the most important first."""

from __future__ import annotations

from kexp.report.drawing import style
from kexp.report.html import figure_section
from kexp.report.reported import ReportedSweep
from kexp.report.sweep_plots import draw_slices

ORDER = 50


def applies(sweep: ReportedSweep) -> bool:
    """True for a sweep of arguments in which a trial has completed."""
    return bool(sweep.record.searched) and sweep.record.best is not None


def html(sweep: ReportedSweep) -> str:
    """HTML of the section."""
    order = list(sweep.importance.total) or [argument.name for argument in sweep.record.searched]
    with style():
        return figure_section("Arguments one by one", draw_slices(sweep.record, order))

"""The completed trials through all their arguments, as parallel coordinates."""

from __future__ import annotations

from kexp.report.drawing import style
from kexp.report.html import figure_section
from kexp.report.reported import ReportedSweep
from kexp.report.sweep_plots import draw_parallel

ORDER = 40


def applies(sweep: ReportedSweep) -> bool:
    """True for a sweep of arguments in which a trial has completed."""
    return bool(sweep.record.searched) and sweep.record.best is not None


def html(sweep: ReportedSweep) -> str:
    """HTML of the section."""
    text = "Only completed trials. A line is a trial; it ends at its score."
    with style():
        return figure_section("Arguments together", draw_parallel(sweep.record), f"<p>{text}</p>")

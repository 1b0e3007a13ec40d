"""The time and disk space of each trial."""

from __future__ import annotations

from kexp.report.drawing import style
from kexp.report.html import figure_section
from kexp.report.reported import ReportedSweep
from kexp.report.sweep_plots import draw_cost

ORDER = 70


def applies(sweep: ReportedSweep) -> bool:
    """True for every sweep."""
    return True


def html(sweep: ReportedSweep) -> str:
    """HTML of the section."""
    with style():
        return figure_section("Time and disk", draw_cost(sweep.record))

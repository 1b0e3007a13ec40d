"""The learning curves of all trials."""

from __future__ import annotations

from kexp.report.drawing import style
from kexp.report.html import figure_section
from kexp.report.reported import ReportedSweep
from kexp.report.sweep_plots import draw_learning_curves

ORDER = 30


def applies(sweep: ReportedSweep) -> bool:
    """True for every sweep."""
    return True


def html(sweep: ReportedSweep) -> str:
    """HTML of the section."""
    with style():
        figure = draw_learning_curves(sweep.record)
        return figure_section("Learning curves", figure, "<p>Far-out values lie on the edge.</p>")

"""The progress of a sweep: the score of each trial, and the best so far."""

from __future__ import annotations

from kexp.report.drawing import LEVELS, style
from kexp.report.html import figure_section
from kexp.report.reported import ReportedSweep
from kexp.report.sweep_plots import draw_progress

ORDER = 20


def applies(sweep: ReportedSweep) -> bool:
    """True for every sweep."""
    return True


def html(sweep: ReportedSweep) -> str:
    """HTML of the section."""
    boxes = "".join(f'<span style="background:var(--level-{level})"></span>' for level in range(LEVELS))
    colours = f'<p class="scale">Colour is the rank of a trial: worst {boxes} best.</p>'
    with style():
        return figure_section("Progress", draw_progress(sweep.record), colours)

"""The importance of the searched arguments, or the reason why it is not known."""

from __future__ import annotations

from html import escape

from kexp.report.drawing import style
from kexp.report.html import figure_section, heading
from kexp.report.reported import ReportedSweep
from kexp.report.sweep_plots import draw_importance

ORDER = 60


def applies(sweep: ReportedSweep) -> bool:
    """True for every sweep."""
    return True


def html(sweep: ReportedSweep) -> str:
    """HTML of the section."""
    name, importance = "Importance of the arguments", sweep.importance
    if importance.reason:
        return heading(name) + f"<p>Not known: {escape(importance.reason)}</p>"
    text = (
        f"Of the differences between the trials, the arguments explain {importance.explained:.0%} "
        "(R² for trials held out); of that each has this share over the whole search space, by functional "
        "ANOVA of random forests."
    )
    with style():
        return figure_section(name, draw_importance(importance), f"<p>{text}</p>")

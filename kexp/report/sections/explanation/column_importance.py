"""Permutation importance: what a model loses by each column."""

from __future__ import annotations

from typing import Any

from kexp.evaluation.explain.network_findings import Findings
from kexp.report.drawing import COLOUR, style
from kexp.report.html import figure_section, short

ORDER = 70
_MOST = 20


def applies(found: Findings) -> bool:
    """True for tables, arrays of numbers and several inputs."""
    return found.importance is not None


def html(found: Findings) -> str:
    """HTML of the section."""
    from matplotlib.figure import Figure

    one = found.importance
    assert one is not None
    count = min(len(one.columns), _MOST)
    fewer = f" Shown are {count} of {len(one.columns) + one.left_out}." if count < len(one.columns) else ""
    text = (
        f"<p>How much the {one.metric}, {one.base:.3f} on {one.samples:,} samples, falls when the values of "
        "one column are dealt out anew, with the deviation over repeats. Columns that say the same stand in "
        f"for one another, so that both may look unimportant.{fewer}</p>"
    )
    with style():
        figure = Figure(figsize=(8.0, 1.0 + 0.26 * count), layout="constrained")
        axes = figure.add_subplot()
        options: Any = {"error_kw": {"ecolor": COLOUR["ink"], "elinewidth": 0.8}}
        axes.barh(
            range(count), one.means[:count], xerr=one.deviations[:count], color=COLOUR["level-5"], **options
        )
        axes.set_yticks(range(count), [short(name, 32) for name in one.columns[:count]])
        axes.invert_yaxis()
        axes.grid(axis="x", alpha=0.5)
        axes.set_xlabel(f"{one.metric} lost")
        return figure_section("Importance of the columns", figure, text)

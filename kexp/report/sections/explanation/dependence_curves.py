"""Partial dependence: the mean prediction by the value of a column."""

from __future__ import annotations

import numpy as np

from kexp.evaluation.explain.network_findings import Findings
from kexp.evaluation.explain.partial_dependence import PartialDependence
from kexp.report.drawing import style
from kexp.report.html import short, text_section
from kexp.report.panel_plots import Panel, new_axes, panel_of, panels
from kexp.tasks import task_named

ORDER = 80


def applies(found: Findings) -> bool:
    """True for tables and arrays of numbers."""
    return bool(found.dependence)


def html(found: Findings) -> str:
    """HTML of the section."""
    up = "mean probability" if task_named(found.spec.task).has_logits else "mean prediction"
    text = (
        "The mean prediction when all samples have a certain value in one of the most important columns, and "
        "the others stay as they are."
    )
    with style():
        content = panels([_panel(one, up) for one in found.dependence])
    return text_section("Partial dependence", text, content)


def _panel(one: PartialDependence, up: str) -> Panel:
    column = short(one.column, 40)
    axes = new_axes(column, "", up)
    words = one.values.dtype.kind not in "iuf"
    across = np.arange(len(one.values)) if words else one.values
    for name, means in zip(one.outputs, one.means, strict=True):
        axes.plot(across, means, marker="o" if words else None, markersize=4, label=short(name, 24))
    if words:
        axes.set_xticks(across, [short(value, 12) for value in one.values], rotation=40, ha="right")
    axes.legend()
    axes.margins(y=0.15)
    said = ", ".join(
        f"{short(name, 24)} from {means.min():.3g} to {means.max():.3g}"
        for name, means in zip(one.outputs, one.means, strict=True)
    )
    return panel_of(axes, f"{column}: {up} of {said}.")

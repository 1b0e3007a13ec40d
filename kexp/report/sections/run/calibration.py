"""The reliability diagram of a classifier: how often the probabilities that it gives hold."""

from __future__ import annotations

import numpy as np

from kexp.report.drawing import COLOUR, style
from kexp.report.html import folded, table, text_section
from kexp.report.panel_plots import Panel, new_axes, panel_of, panels
from kexp.report.reliability import BINS, Reliability, reliability
from kexp.report.reported import ReportedRun

ORDER = 46


def applies(run: ReportedRun) -> bool:
    """True for a classifier with its data."""
    return run.classes is not None


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    judged = run.classes
    assert judged is not None
    found = reliability(judged.confidence, ~judged.wrong)
    text = (
        f"How often the class that a sample is taken for is the true one, by its probability, of "
        f"{run.judged_name} in {BINS} bins. The expected calibration error (Guo et al. 2017) is "
        f"{found.error:.3f}: so far are probability and share of right ones apart on average."
    )
    with style():
        content = panels([_diagram(found), _spread(found)])
    return text_section("Reliability", text, content + folded("As a table", _listed(found)))


def _diagram(found: Reliability) -> Panel:
    axes = new_axes("Reliability", "probability", "share of right ones")
    axes.bar(_middles(), np.nan_to_num(found.accuracy), width=0.9 / BINS, color=COLOUR["level-4"])
    axes.plot([0, 1], [0, 1], color=COLOUR["best"], linestyle="--")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    return panel_of(
        axes, "Share of right ones by probability; bars below the dashed line are of probabilities too high."
    )


def _spread(found: Reliability) -> Panel:
    axes = new_axes("Samples", "probability", "samples")
    axes.bar(_middles(), found.counts, width=0.9 / BINS, color=COLOUR["level-4"])
    axes.set_xlim(0, 1)
    return panel_of(axes, "Samples by probability.")


def _middles() -> np.ndarray:
    return (np.arange(BINS) + 0.5) / BINS


def _listed(found: Reliability) -> str:
    rows = [
        [
            f"{place / BINS:.1f} to {(place + 1) / BINS:.1f}",
            int(found.counts[place]),
            *(float(values[place]) for values in (found.confidence, found.accuracy)),
        ]
        for place in np.flatnonzero(found.counts)
    ]
    return table(["probability", "samples", "its mean", "share of right ones"], rows)

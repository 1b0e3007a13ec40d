"""The reliability diagram of a classifier: how often the probabilities that it gives hold."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from kexp.metrics.reliability import BINS, Reliability, reliability
from kexp.report.drawing import COLOUR, style
from kexp.report.html import folded, table, text_section
from kexp.report.judged_classes import JudgedClasses
from kexp.report.panel_plots import Panel, new_axes, panel_of, panels
from kexp.report.reported import ReportedRun
from kexp.tasks.class_choice import tempered

ORDER = 46


def applies(run: ReportedRun) -> bool:
    """True for a classifier with its data."""
    return run.classes is not None


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    judged = run.classes
    assert judged is not None
    found, before = reliability(judged.confidence, ~judged.wrong), _before(run, judged)
    text = (
        f"How often the class that a sample is taken for is the true one, by its probability, of "
        f"{run.judged_name} in {BINS} bins. The expected calibration error (Guo et al. 2017) is "
        f"{found.error:.3f}: so far are probability and share of right ones apart on average."
    )
    if before is not None:
        text += (
            f" Logits are divided by the temperature {run.spec.temperature:.3g}; as they are, the error is "
            f"{before.error:.3f}."
        )
    with style():
        earlier = [] if before is None else [_diagram(before, "Before calibration")]
        content = panels([*earlier, _diagram(found, "Reliability"), _spread(found)])
    return text_section("Reliability", text, content + _errors(run) + folded("As a table", _listed(found)))


def _before(run: ReportedRun, judged: JudgedClasses) -> Reliability | None:
    """Return the reliability of the network's own probabilities; None: they are shown as they are."""
    temperature = run.spec.temperature
    if temperature is None:
        return None
    own = tempered(judged.probabilities.astype(np.float64), 1 / temperature)
    return reliability(own.max(axis=1), ~judged.wrong)


def _errors(run: ReportedRun) -> str:
    """Return a table of the errors of whole parts, as the calibration recorded them."""
    calibration = run.record.calibration
    if calibration is None or run.spec.temperature is None:
        return ""
    parts = (("validation", calibration.validation), ("test", calibration.test))
    rows = [[name, *astuple(part)] for name, part in parts if part is not None]
    titles = ["samples", "error before", "error after", "by chance", "log loss before", "log loss after"]
    return table(["part", *titles], rows)


def _diagram(found: Reliability, title: str) -> Panel:
    axes = new_axes(title, "probability", "share of right ones")
    axes.bar(_middles(), np.nan_to_num(found.accuracy), width=0.9 / BINS, color=COLOUR["level-4"])
    axes.plot([0, 1], [0, 1], color=COLOUR["best"], linestyle="--")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    return panel_of(
        axes, f"{title}: share of right ones; bars below the dashed line are of probabilities too high."
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

"""Precision over recall of each class of a detection, and a table of what its scores are worth."""

from __future__ import annotations

import numpy as np

from kexp.data.dataset import class_names
from kexp.metrics.detection_metrics import PrecisionRecall, precision_recall
from kexp.report.drawing import style
from kexp.report.html import table, text_section
from kexp.report.panel_plots import Panel, new_axes, panel_of, panels
from kexp.report.reported import ReportedRun
from kexp.tasks.detection import indexed, least_scores

ORDER = 45
_EACH = 10  # classes of a panel, which have colours of their own
_MOST = 40  # classes with a curve
_LISTED = 1000  # rows


def applies(run: ReportedRun) -> bool:
    """True for a run with data whose predictions are boxes."""
    return "box" in run.prediction_names


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    found = indexed(run.judged_predictions.named(), run.spec)
    names = class_names(run.spec)
    curves = {
        name: precision_recall(run.judged.targets, *found, index)
        for index, name in enumerate(names[:_LISTED])
    }
    shown = {name: curve for name, curve in list(curves.items())[:_MOST] if len(curve.scores)}
    least = least_scores(run.spec)
    text = (
        f"Of {run.judged_name}, at an overlap of 0.5, as the least score of a detection goes down. In the "
        "table, at the score of each class at which its F1 is best on validation data."
    )
    with style():
        groups = [list(shown)[first : first + _EACH] for first in range(0, len(shown), _EACH)]
        plots = panels([_panel({name: shown[name] for name in group}) for group in groups])
    columns = ["class", "objects", "least score", "precision", "recall"]
    rows = [
        [name, curve.objects, round(least[name], 3), *_at(curve, least[name])]
        for name, curve in curves.items()
    ]
    return text_section("Precision and recall of the classes", text, plots + table(columns, rows))


def _panel(curves: dict[str, PrecisionRecall]) -> Panel:
    axes = new_axes("Precision and recall", "recall", "precision")
    for name, curve in curves.items():
        axes.step(curve.recall, curve.precision, where="pre", label=name)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.05))
    axes.legend(loc="lower left", ncols=2, fontsize="small")
    return panel_of(axes, f"Precision over recall of {', '.join(curves)}.")


def _at(curve: PrecisionRecall, least: float) -> list[object]:
    """Return precision and recall of the detections with a score or more; empty where there are none."""
    given = int(np.sum(curve.scores >= least))
    if not given:
        return ["", 0.0 if curve.objects else ""]
    recall = round(float(curve.recall[given - 1]), 4) if curve.objects else ""
    return [round(float(curve.precision[given - 1]), 4), recall]

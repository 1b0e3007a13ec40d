"""The curves of a decision between two classes: ROC, precision and recall, and both by threshold."""

from __future__ import annotations

from html import escape

import numpy as np

from kexp.report.drawing import COLOUR, style
from kexp.report.html import folded, heading, name_of, table
from kexp.report.panel_plots import Panel, new_axes, panel_of, panels
from kexp.report.reported import ReportedRun
from kexp.report.threshold_curves import ThresholdCurves, threshold_curves

ORDER = 45
_LISTED = np.linspace(0.1, 0.9, 9)


def applies(run: ReportedRun) -> bool:
    """True for a classifier of two classes, both of which are in its data."""
    return _curves(run) is not None


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    curves, judged = _curves(run), run.classes
    assert curves is not None
    assert judged is not None
    best = int(np.argmax(curves.f1))
    text = (
        f"<p>Of {escape(run.judged_name)}, by the probability of {name_of(judged.names[1])}. F1 is greatest, "
        f"{curves.f1[best]:.3f}, where that is {curves.thresholds[best]:.3g} or more.</p>"
    )
    with style():
        content = panels([_roc(curves), _precision_recall(curves, judged.truth.mean()), _thresholds(curves)])
    rows = [[round(float(one), 1), *curves.at(one)] for one in _LISTED]
    listed = table(["threshold", "precision", "recall", "F1"], rows)
    return f"<section>{heading('Two classes')}{text}{content}{folded('As a table', listed)}</section>"


def _curves(run: ReportedRun) -> ThresholdCurves | None:
    judged = run.classes
    if judged is None or len(judged.names) != 2:
        return None
    return threshold_curves(judged.truth == 1, judged.probabilities[:, 1])


def _roc(curves: ThresholdCurves) -> Panel:
    axes = new_axes("ROC", "false alarms", "recall")
    axes.plot([0, 1], [0, 1], color=COLOUR["grid"], linestyle="--")
    axes.plot(curves.false_alarms, curves.recall, color=COLOUR["level-6"])
    return panel_of(
        axes, f"ROC: recall over false alarms; the area is {curves.auroc:.3f}, that of guessing 0.5."
    )


def _precision_recall(curves: ThresholdCurves, share: float) -> Panel:
    axes = new_axes("Precision and recall", "recall", "precision")
    axes.axhline(share, color=COLOUR["grid"], linestyle="--")
    axes.step(curves.recall, curves.precision, where="pre", color=COLOUR["level-6"])
    axes.set_ylim(-0.03, 1.05)
    return panel_of(
        axes,
        f"Precision over recall; the average precision is {curves.average_precision:.3f}, that of guessing "
        f"{share:.3f}.",
    )


def _thresholds(curves: ThresholdCurves) -> Panel:
    axes = new_axes("By threshold", "threshold", "")
    lines = {"precision": ("level-6", "-"), "recall": ("best", "--"), "F1": ("ink", ":")}
    for name, (colour, dashes) in lines.items():
        values = curves.f1 if name == "F1" else getattr(curves, name)
        axes.plot(curves.thresholds[1:], values[1:], color=COLOUR[colour], linestyle=dashes, label=name)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.05))
    axes.legend(loc="lower center", ncols=3, fontsize="small")
    return panel_of(axes, "Precision, recall and F1 by the probability from which the class is taken.")

"""The residuals of a regression: truth against prediction, and how residuals are spread."""

from __future__ import annotations

import numpy as np

from kexp.report.drawing import COLOUR, style
from kexp.report.html import text_section
from kexp.report.judged_values import JudgedValues
from kexp.report.panel_plots import Panel, new_axes, panel_of, panels
from kexp.report.reported import ReportedRun

ORDER = 43
_TARGETS = 4
_BINS = 30


def applies(run: ReportedRun) -> bool:
    """True for a regression with its data."""
    return run.values is not None


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    judged = run.values
    assert judged is not None
    count = len(judged.names)
    fewer = f" Of {count:,} targets the first {_TARGETS} are drawn." if count > _TARGETS else ""
    text = f"Of {run.judged_name}; a residual is truth less prediction.{fewer}"
    with style():
        shown = [
            panel
            for target in range(min(count, _TARGETS))
            for panel in (_truth(judged, target), _spread(judged, target))
        ]
        return text_section("Residuals", text, panels(shown))


def _truth(judged: JudgedValues, target: int) -> Panel:
    truth, predicted = judged.truth[:, target], judged.predicted[:, target]
    axes = new_axes(_title(judged, target, "Truth and prediction"), "truth", "prediction")
    ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    axes.plot(ends, ends, color=COLOUR["best"], linestyle="--")
    axes.scatter(truth, predicted, s=7, color=COLOUR["level-5"], alpha=0.7, linewidths=0)
    spread = float(np.sum((truth - truth.mean()) ** 2))
    known = f"; R² is {1 - float(np.sum((truth - predicted) ** 2)) / spread:.3f}" if spread > 0 else ""
    return panel_of(
        axes,
        f"Prediction over truth of {judged.names[target]}, a dot for each sample; on the line they are the "
        f"same{known}.",
    )


def _spread(judged: JudgedValues, target: int) -> Panel:
    residuals = judged.residuals[:, target]
    axes = new_axes(_title(judged, target, "Residuals"), "truth less prediction", "samples")
    axes.hist(residuals, bins=min(_BINS, 5 + int(len(residuals) ** 0.5)), color=COLOUR["level-5"])
    axes.axvline(0.0, color=COLOUR["best"], linestyle="--")
    return panel_of(
        axes,
        f"Residuals of {judged.names[target]}: mean {residuals.mean():.4g}, standard deviation "
        f"{residuals.std():.4g}, median size {np.median(np.abs(residuals)):.4g}.",
    )


def _title(judged: JudgedValues, target: int, what: str) -> str:
    return what if len(judged.names) == 1 else f"{what}: {judged.names[target]}"[:50]

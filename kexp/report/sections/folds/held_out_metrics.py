"""The metrics on held-out folds: a dot for each fold, the mean and its interval."""

from __future__ import annotations

import math

from matplotlib.figure import Figure

from kexp.report.drawing import COLOUR, style
from kexp.report.folds_record import FoldsRecord
from kexp.report.html import figure_section, table

ORDER = 20
_TEXT = (
    "<p>Each dot is a fold, measured by a network that was trained without it. The bar is the mean with its "
    "95 % interval, which is wider than that of independent values, since the folds share most of what they "
    "are trained on (Nadeau and Bengio 2003), and stays within the bounds of the metric.</p>"
)


def applies(record: FoldsRecord) -> bool:
    """True once two folds have been measured."""
    return bool(record.estimates)


def html(record: FoldsRecord) -> str:
    """HTML of the section."""
    rows = [
        [name.removeprefix("test_"), mean, f"{low:.4g} to {high:.4g}", deviation]
        for name, (mean, deviation, low, high) in record.estimates.items()
    ]
    listed = table(["metric", "mean", "95 % interval", "deviation"], rows)
    with style():
        return figure_section("Metrics on held-out folds", draw_folds(record), _TEXT + listed)


def draw_folds(record: FoldsRecord) -> Figure:
    """Return a strip of dots for each metric, on an axis of its own."""
    names = list(record.estimates)
    figure = Figure(figsize=(8.0, 0.55 * len(names) + 0.5), layout="constrained")
    axes = figure.subplots(len(names), 1, squeeze=False)[:, 0]
    for ax, name in zip(axes, names, strict=True):
        mean, _, low, high = record.estimates[name]
        values = [row[name] for row in record.rows if row.get(name) is not None]
        if math.isfinite(low) and math.isfinite(high):
            ax.plot([low, high], [0, 0], color=COLOUR["best"], linewidth=3, solid_capstyle="round", alpha=0.5)
            ax.plot([mean], [0], marker="|", markersize=14, markeredgewidth=2.5, color=COLOUR["best"])
        ax.scatter(values, [0] * len(values), s=26, color=COLOUR["level-6"], zorder=3, alpha=0.8)
        ax.set_ylim(-1, 1)
        ax.set_yticks([0], [name.removeprefix("test_")])
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    return figure

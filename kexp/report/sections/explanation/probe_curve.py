"""The curve of linear probes: how the target becomes readable from layer to layer."""

from __future__ import annotations

from html import escape

from kexp.evaluation.explain.network_findings import Findings
from kexp.report.drawing import COLOUR, style
from kexp.report.html import figure_section, short

ORDER = 30


def applies(found: Findings) -> bool:
    """True where probes were fitted."""
    return found.probe is not None


def html(found: Findings) -> str:
    """HTML of the section."""
    from matplotlib.figure import Figure

    probe = found.probe
    assert probe is not None
    said = [f"{score:.3f}" for score in (probe.scores[0], probe.scores[-1])]
    text = (
        f"<p>The {probe.metric} of a linear model on what there is after each layer (Alain and Bengio 2017), "
        f"fitted to {probe.train_samples:,} training samples and measured on "
        f"{probe.validation_samples:,} others: {said[0]} after {escape(probe.layers[0])}, "
        f"{said[1]} after {escape(probe.layers[-1])}, the last.</p>"
    )
    with style():
        figure = Figure(figsize=(8.0, 3.4), layout="constrained")
        axes = figure.add_subplot()
        places = range(len(probe.scores))
        axes.plot(places, probe.scores, marker="o", markersize=4, color=COLOUR["best"])
        axes.axhline(probe.chance, color=COLOUR["grid"], linestyle="--", linewidth=1)
        axes.annotate("constant prediction", (0, probe.chance), xytext=(2, 2), textcoords="offset points")
        names = [short(name.rpartition("/")[2], 24) for name in probe.layers]
        axes.set_xticks(places, names, rotation=40, ha="right")
        axes.set_ylabel(probe.metric)
        axes.grid(alpha=0.5)
        return figure_section("Linear probes by depth", figure, text)

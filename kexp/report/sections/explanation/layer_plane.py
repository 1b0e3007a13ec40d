"""The map of a layer: a dot for each sample."""

from __future__ import annotations

from html import escape

from kexp.data import class_names
from kexp.evaluation.explain.network_findings import Findings
from kexp.report.drawing import style
from kexp.report.html import figure_section
from kexp.report.latent_plots import Plane, draw_map

ORDER = 60


def applies(found: Findings) -> bool:
    """True where a layer was mapped."""
    return found.map is not None


def html(found: Findings) -> str:
    """HTML of the section."""
    shown = found.map
    assert shown is not None
    axes = ("first dimension", "second dimension")
    how = "by t-SNE, which keeps neighbours together and says nothing of distances"
    if shown.shares:
        axes = tuple(  # type: ignore[assignment]
            f"{which} principal component, {100 * share:.0f} % of the variance"
            for which, share in zip(("first", "second"), shown.shares, strict=True)
        )
        how = "in the two directions in which they differ most"
    colours = ", in the colours of their classes" if found.labels is not None else ""
    text = f"{len(shown.points):,} samples as there is of them after layer {shown.layer}, {how}{colours}."
    with style():
        figure = draw_map(Plane(shown.points, axes, ""), found.labels, class_names(found.spec))
        return figure_section("Map of a layer", figure, f"<p>{escape(text)}</p>")

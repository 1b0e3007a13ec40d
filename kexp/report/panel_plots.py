"""Panels: small figures beside one another, which stand below one another where the screen is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from kexp.report.drawing import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = 4.5, 3.2  # inches
_MARGINS = {"left": 0.15, "right": 0.97, "bottom": 0.16, "top": 0.9}  # measuring texts takes longer


class Panel(NamedTuple):
    """A figure drawn within `style`, and what it shows in words, not escaped yet."""

    figure: Figure
    text: str


def new_axes(title: str, across: str, up: str) -> Axes:
    """Return the axes of an empty panel.

    Args:
        title: Of the panel.
        across: What the horizontal axis is.
        up: What the vertical axis is.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    figure.subplots_adjust(**_MARGINS)
    axes = figure.add_subplot()
    axes.set_title(title, y=1)
    axes.set(xlabel=across, ylabel=up)
    axes.grid(alpha=0.5)
    return axes


def panel_of(axes: Axes, text: str) -> Panel:
    """Return the panel of its only axes."""
    from matplotlib.figure import Figure

    figure = axes.figure
    assert isinstance(figure, Figure)
    return Panel(figure, text)


def panels(shown: Sequence[Panel]) -> str:
    """Return HTML of panels, each with its words below it.

    Example:
        >>> from kexp.report.drawing import style
        >>> with style():
        ...     page = panels([panel_of(new_axes("a", "b", "c"), "<i>")])
        >>> page.count("<svg"), page.count("&lt;i&gt;")
        (1, 2)
    """
    figures = "".join(
        f"<figure>{inline_svg(panel.figure, panel.text)}"
        f'<figcaption aria-hidden="true">{escape(panel.text)}</figcaption></figure>'
        for panel in shown
    )
    return f'<div class="panels">{figures}</div>'

"""Learning curves, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3  # panels beside one another
_PANEL = 4.5, 3.4  # inches, wide and high
# Inches to the left, right, bottom and top of its axes: fixed, since to measure the texts takes longer than
# to draw them.
_MARGINS = 0.85, 0.15, 0.55, 0.35
_TICKS = 5  # at most, on an axis: most of the time that a panel takes is theirs
_OF_A_CLASS = "iou_"
_LEGEND = 12  # lines; the names of more would hide them


class Curve(NamedTuple):
    """The values of a metric by epoch; the colour is matplotlib's next where there is none."""

    label: str
    values: Sequence[float]
    colour: str | None = None


def curves_by_panel(history: Mapping[str, Sequence[float]]) -> dict[str, list[Curve]]:
    """Return the curves of a history by the titles of the panels that they share.

    The intersection over union of all classes, `iou_NAME`, is one panel: on validation data, if there are.

    Args:
        history: Metrics of every epoch by name; `val_` marks those on validation data.

    Example:
        >>> found = curves_by_panel({"loss": [0.5], "val_loss": [0.6], "val_frechet_cnn_1000": [9.0]})
        >>> {title: [curve.label for curve in curves] for title, curves in found.items()}
        {'loss': ['training', 'validation'], 'frechet cnn 1000': ['validation']}
    """
    found: dict[str, list[Curve]] = {}
    for name in dict.fromkeys(name.removeprefix("val_") for name in history):
        if not name.startswith(_OF_A_CLASS):
            both = ((name, "training", "C0"), (f"val_{name}", "validation", "C1"))
            curves = [Curve(label, history[key], colour) for key, label, colour in both if key in history]
            found[name.replace("_", " ")] = curves
    classes = [name for name in history if name.startswith(_OF_A_CLASS)]
    if classes:
        validated = all(f"val_{name}" in history for name in classes)
        found[f"iou of each class, {'validation' if validated else 'training'}"] = [
            Curve(
                name.removeprefix(_OF_A_CLASS).replace("_", " "),
                history[f"val_{name}" if validated else name],
            )
            for name in classes
        ]
    return found


def draw_curves(
    history: Mapping[str, Sequence[float]], best_epoch: int | None = None, phases: Sequence[int] = ()
) -> Figure:
    """Return one panel per metric, training and validation in each, over the epochs.

    Args:
        history: As of `curves_by_panel`.
        best_epoch: The epoch whose weights were chosen, from 1, which has a ring; default None: none has.
        phases: The first epoch of each phase, from 1; a dashed line stands before those that come later.

    Example:
        >>> figure = draw_curves({"loss": [0.5, 0.3], "val_loss": [0.6, 0.4]})
        >>> [axes.get_title() for axes in figure.axes]
        ['loss']
        >>> [axes.get_title() for axes in draw_curves({"loss": [0.5], "val_frechet_cnn_1000": [9.0]}).axes]
        ['loss', 'frechet cnn 1000']
    """
    found = curves_by_panel(history)
    columns = min(max(len(found), 2), _COLUMNS)  # one panel alone would fill a page
    rows = -(-len(found) // columns)
    figure = _empty_figure(rows, columns)
    for number, (title, curves) in enumerate(found.items()):
        _draw_panel(figure.add_subplot(rows, columns, number + 1), title, curves, best_epoch, phases)
    return figure


def draw_panels(
    history: Mapping[str, Sequence[float]], best_epoch: int | None = None, phases: Sequence[int] = ()
) -> dict[str, Figure]:
    """Return the panels of `draw_curves` as figures of their own, by title.

    Args:
        history: As of `curves_by_panel`.
        best_epoch: As of `draw_curves`.
        phases: As of `draw_curves`.

    Example:
        >>> list(draw_panels({"loss": [0.5, 0.3], "val_loss": [0.6, 0.4]}, best_epoch=2))
        ['loss']
    """
    figures = {}
    for title, curves in curves_by_panel(history).items():
        figures[title] = _empty_figure(1, 1)
        _draw_panel(figures[title].add_subplot(), title, curves, best_epoch, phases)
    return figures


def _empty_figure(rows: int, columns: int) -> Figure:
    from kexp.core.shown_figure import ShownFigure

    (across, up), (left, right, bottom, top) = _PANEL, _MARGINS
    width, height = across * columns, up * rows
    figure = ShownFigure(figsize=(width, height))
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=(left + right) / (across - left - right),
        hspace=(bottom + top) / (up - bottom - top),
    )
    return figure


def _draw_panel(
    axes: Axes, title: str, curves: Sequence[Curve], best_epoch: int | None, phases: Sequence[int]
) -> None:
    for curve in curves:
        epochs = range(1, len(curve.values) + 1)
        axes.plot(epochs, curve.values, marker="o", markersize=3, label=curve.label, color=curve.colour)
    _finish(axes, title)
    _mark(axes, curves, best_epoch, phases)


def _mark(axes: Axes, curves: Sequence[Curve], best_epoch: int | None, phases: Sequence[int]) -> None:
    """Draw a ring around the values of the chosen epoch, and a line where a phase comes after another."""
    from matplotlib import rcParams

    for first in phases[1:]:
        axes.axvline(first - 0.5, color=rcParams["text.color"], linewidth=0.8, linestyle="--", alpha=0.6)
    if best_epoch is not None:
        # Rings on the curves of many classes would hide them.
        values = [curve.values[best_epoch - 1] for curve in curves if curve.colour]
        ring = {"markersize": 9, "markerfacecolor": "none", "color": rcParams["text.color"]}
        axes.plot([best_epoch] * len(values), values, linestyle="", marker="o", **ring)


def _finish(axes: Axes, title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, y=1)  # to look for a free place takes longer than to draw
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(_TICKS, integer=True))
    axes.locator_params("y", nbins=_TICKS)
    axes.grid(alpha=0.3)
    if len(axes.lines) <= _LEGEND:
        axes.legend(fontsize="small" if len(axes.lines) > 2 else None, ncols=1 + len(axes.lines) // 5)

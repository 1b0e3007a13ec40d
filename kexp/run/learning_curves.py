"""Learning curves, drawn with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def draw_curves(history: dict[str, list[float]]) -> Figure:
    """Return one panel per metric, training and validation in each, over the epochs.

    The intersection over union of all classes, `iou_NAME`, is one panel: on validation data, if there are.

    Args:
        history: Metrics of every epoch by name; `val_` marks those on validation data.

    Example:
        >>> figure = draw_curves({"loss": [0.5, 0.3], "val_loss": [0.6, 0.4]})
        >>> [axes.get_title() for axes in figure.axes]
        ['loss']
        >>> [axes.get_title() for axes in draw_curves({"loss": [0.5], "val_frechet_cnn_1000": [9.0]}).axes]
        ['loss', 'frechet cnn 1000']
    """
    stems = dict.fromkeys(name.removeprefix("val_") for name in history)
    names = [name for name in stems if not name.startswith(_OF_A_CLASS)]
    classes = [name for name in history if name.startswith(_OF_A_CLASS)]
    count = len(names) + bool(classes)
    columns = min(max(count, 2), _COLUMNS)  # one panel alone would fill a page
    rows = -(-count // columns)
    figure = _empty_figure(rows, columns)
    for number, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, number + 1)
        for key, label, colour in ((name, "training", "C0"), (f"val_{name}", "validation", "C1")):
            if key in history:
                _draw(axes, history[key], label, colour)
        _finish(axes, name.replace("_", " "))
    if classes:
        axes = figure.add_subplot(rows, columns, count)
        _draw_classes(axes, history, classes)
    return figure


def _empty_figure(rows: int, columns: int) -> Figure:
    from matplotlib.figure import Figure

    (across, up), (left, right, bottom, top) = _PANEL, _MARGINS
    width, height = across * columns, up * rows
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=(left + right) / (across - left - right),
        hspace=(bottom + top) / (up - bottom - top),
    )
    return figure


def _draw_classes(axes: Axes, history: dict[str, list[float]], classes: list[str]) -> None:
    validated = all(f"val_{name}" in history for name in classes)
    for name in classes:
        label = name.removeprefix(_OF_A_CLASS).replace("_", " ")
        _draw(axes, history[f"val_{name}" if validated else name], label)
    _finish(axes, f"iou of each class, {'validation' if validated else 'training'}")


def _draw(axes: Axes, values: list[float], label: str, colour: str | None = None) -> None:
    axes.plot(range(1, len(values) + 1), values, marker="o", markersize=3, label=label, color=colour)


def _finish(axes: Axes, title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, y=1)  # to look for a free place takes longer than to draw
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(_TICKS, integer=True))
    axes.locator_params("y", nbins=_TICKS)
    axes.grid(alpha=0.3)
    if len(axes.lines) <= _LEGEND:
        axes.legend(fontsize="small" if len(axes.lines) > 2 else None, ncols=1 + len(axes.lines) // 5)

"""Plots of an autoencoder's latent space: the map of its codes, and the spread of its anomaly scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kexp.report.drawing import COLOUR
from kexp.report.sample_images import colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NAMED = 20  # classes in a legend
_MOST_ROWS = 40  # classes below one another
_BINS = 40


class Plane(NamedTuple):
    """Codes as points: (n, 2), what each axis is, and how they came to be two numbers."""

    points: np.ndarray
    axes: tuple[str, str]
    text: str


def plane(codes: np.ndarray) -> Plane:
    """Return codes in two numbers each: as they are, or along the directions in which they vary most.

    Args:
        codes: (n, d), two rows and two columns or more.

    Example:
        >>> plane(np.eye(4)[:, :2]).axes
        ('code 0', 'code 1')
        >>> plane(np.eye(4) * [4, 3, 1, 1]).axes[0]
        'first principal component, 66 % of the variance'
    """
    if codes.shape[1] == 2:
        return Plane(codes, ("code 0", "code 1"), "The code has two numbers, which are the axes.")
    from sklearn.decomposition import PCA

    reduced = PCA(2, random_state=0).fit(codes)
    shares = np.nan_to_num(reduced.explained_variance_ratio_)
    names = (
        f"{which} principal component, {100 * share:.0f} % of the variance"
        for which, share in zip(("first", "second"), shares, strict=True)
    )
    text = (
        f"The code has {codes.shape[1]} numbers; shown are its two principal components, the directions in "
        f"which codes vary most, with {100 * shares.sum():.0f} % of the variance."
    )
    first, second = names
    return Plane(reduced.transform(codes), (first, second), text)


def draw_map(shown: Plane, labels: np.ndarray | None, names: Sequence[str]) -> Figure:
    """Return a dot for each code in the colour of its class, with a legend of up to 20 classes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.2), layout="constrained")
    axes = figure.add_subplot()
    kinds = np.zeros(len(shown.points), int) if labels is None else labels
    for index in np.unique(kinds):
        name = None if labels is None else names[index]
        _dots(axes, shown.points[kinds == index], _colour(index if labels is not None else None), name)
    axes.autoscale_view()
    axes.set(xlabel=shown.axes[0], ylabel=shown.axes[1])
    axes.grid(alpha=0.5)
    if labels is not None and len(np.unique(labels)) <= _MOST_NAMED:
        figure.legend(loc="outside right upper", handlelength=0.8)
    return figure


def draw_scores(scores: np.ndarray, labels: np.ndarray | None, names: Sequence[str]) -> Figure:
    """Return how anomaly scores are spread: a bar for each class, or where there is none a histogram."""
    from matplotlib.figure import Figure

    if labels is None:
        figure = Figure(figsize=(8.0, 2.8), layout="constrained")
        axes = figure.add_subplot()
        axes.hist(scores, bins=_BINS, color=COLOUR["level-5"])
        axes.set(xlabel="anomaly score", ylabel="samples")
        return figure
    classes = np.unique(labels)[:_MOST_ROWS]
    figure = Figure(figsize=(8.0, 1.0 + 0.26 * len(classes)), layout="constrained")
    axes = figure.add_subplot()
    for row, index in enumerate(classes):
        low, first, middle, third, high = np.quantile(scores[labels == index], (0.05, 0.25, 0.5, 0.75, 0.95))
        axes.hlines(row, low, high, color=COLOUR["grid"], linewidth=1.5, zorder=1)
        axes.barh(row, third - first, left=first, height=0.6, color=_colour(index))
        axes.plot([middle, middle], [row - 0.42, row + 0.42], color=COLOUR["best"], linewidth=2.0)
    axes.set_yticks(range(len(classes)), [names[index] for index in classes])
    axes.invert_yaxis()
    axes.grid(axis="x")
    axes.set(xlabel="anomaly score")
    return figure


def _dots(axes: Axes, points: np.ndarray, shade: str, name: str | None) -> None:
    """Draw lines without length and with round ends as one path, which takes a tenth of markers' place."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    steps = np.tile([Path.MOVETO, Path.LINETO], len(points))
    path = Path(np.repeat(points, 2, axis=0), steps)
    path.should_simplify = False  # lines without length would be left out of a path of many
    axes.add_patch(
        PathPatch(path, facecolor="none", edgecolor=shade, linewidth=3.2, capstyle="round", alpha=0.8)
    )
    axes.update_datalim(points)
    axes.plot([], [], linestyle="", marker="o", markersize=5, color=shade, label=name)


def _colour(index: int | None) -> str:
    """Return the colour of a class; the first, nearly black, is the ink's, which is light by night."""
    if index is None:
        return COLOUR["level-5"]
    return COLOUR["ink"] if index == 0 else colour(int(index))

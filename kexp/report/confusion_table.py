"""The confusion matrix of a classifier as a table, shaded by the share of each class."""

from __future__ import annotations

from html import escape

import numpy as np

from kexp.report.html import name_of
from kexp.report.judged_classes import JudgedClasses

SHADES = 5  # of shares, from below a fifth on; the style sheet has a colour of each
_IN_THEIR_ORDER = 10  # classes: so few are found sooner in the order of the data


def confusion_table(judged: JudgedClasses, caption: str) -> str:
    """Return HTML with a row per true class and a column per prediction, counts and shares of the row.

    Args:
        judged: Truth and predictions.
        caption: What the table shows, not escaped yet.

    Example:
        >>> judged = JudgedClasses(("cat", "dog"), np.array([0, 0, 1]), np.eye(2)[[0, 1, 1]])
        >>> page = confusion_table(judged, "Cats and dogs")
        >>> page.count('scope="row"'), "50\\N{NO-BREAK SPACE}%" in page
        (2, True)
    """
    confusion = judged.confusion()
    order = class_order(confusion)
    many = " many" if len(order) > _IN_THEIR_ORDER else ""
    names = [name_of(judged.names[index], 24) for index in order]
    head = "".join(f'<th scope="col"><span>{name}</span></th>' for name in names)
    rows = "\n".join(
        f'<tr><th scope="row"><span>{name}</span></th>{_cells(confusion[index], order, index)}</tr>'
        for name, index in zip(names, order, strict=True)
    )
    table = (
        f'<table class="confusion{many}">\n<caption>{escape(caption)}</caption>\n'
        f'<thead><tr><th scope="col"><span>truth ↓ prediction →</span></th>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )
    return f'<div class="table" tabindex="0" role="region" aria-label="{escape(caption)}">{table}</div>'


def class_order(confusion: np.ndarray) -> list[int]:
    """Return the classes so that those that are confused stand together, where there are more than ten.

    Leaves of an average linkage in their optimal order (Bar-Joseph, Gifford and Jaakkola 2001, "Fast optimal
    leaf ordering for hierarchical clustering").

    Args:
        confusion: (classes, classes) samples by truth and prediction.

    Example:
        >>> confusion = np.eye(12, dtype=int) * 10
        >>> confusion[0, 11] = 5
        >>> order = class_order(confusion)
        >>> abs(order.index(0) - order.index(11)), class_order(np.eye(3, dtype=int))
        (1, [0, 1, 2])
    """
    count = len(confusion)
    if count <= _IN_THEIR_ORDER:
        return list(range(count))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    apart = 1.0 - (shares + shares.T) / 2
    np.fill_diagonal(apart, 0.0)
    found = linkage(squareform(apart, checks=False), "average", optimal_ordering=True)
    return [int(index) for index in leaves_list(found)]


def _cells(row: np.ndarray, order: list[int], truth: int) -> str:
    whole = max(int(row.sum()), 1)
    return "".join(_cell(int(row[index]), row[index] / whole, index == truth) for index in order)


def _cell(count: int, share: float, right: bool) -> str:
    if not count:
        return "<td>0</td>"
    shade = min(int(share * SHADES), SHADES - 1)
    kind = "hit" if right else "miss"
    return f'<td class="{kind}-{shade}">{count:,}<small>{escape(percent(share))}</small></td>'


def percent(share: float) -> str:
    """Return a share in percent, none of those above 0 and below 1 as all or nothing.

    Example:
        >>> percent(0.0004), percent(0.123), percent(0.9999), percent(1.0)
        ('<1\xa0%', '12\xa0%', '>99\xa0%', '100\xa0%')
    """
    rounded = round(100 * share)
    if 0 < share < 0.005:
        return "<1\N{NO-BREAK SPACE}%"
    return f"{'>99' if share < 1 and rounded == 100 else rounded}\N{NO-BREAK SPACE}%"

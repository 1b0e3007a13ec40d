"""The samples that a classifier is most surely wrong about, those it knows least, and some that are right."""

from __future__ import annotations

from html import escape

import numpy as np

from kexp.report.html import heading
from kexp.report.judged_classes import JudgedClasses
from kexp.report.reported import ReportedRun
from kexp.report.shown_samples import WRONG, how_shown, shown_samples

ORDER = 44
_EACH = 12


def applies(run: ReportedRun) -> bool:
    """True for a classifier with its data."""
    return run.classes is not None


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    judged = run.classes
    assert judged is not None
    groups = chosen_samples(judged)
    text = f"Of {run.judged_name}, by the probability of the class that each is taken for.{how_shown(run)}"
    parts = [_group(run, judged, name, places) for name, places in groups.items()]
    return f"<section>{heading('Mistakes')}<p>{escape(text)}</p>{''.join(parts)}</section>"


def chosen_samples(judged: JudgedClasses, each: int = _EACH) -> dict[str, np.ndarray]:
    """Return the places of the samples to show by what is to be said of them; none is in two groups.

    Args:
        judged: Truth and predictions.
        each: Samples of a group, default 12.

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.99, 0.01], [0.2, 0.8]])
        >>> judged = JudgedClasses(("cat", "dog"), np.array([1, 1, 1, 1]), probabilities)
        >>> [places.tolist() for places in chosen_samples(judged, 2).values()]
        [[2, 0], [1, 3], []]
    """
    confidence, wrong = judged.confidence, judged.wrong
    order = np.argsort(-confidence, kind="stable")
    worst = order[wrong[order]][:each]
    rising = order[::-1]
    unsure = rising[~np.isin(rising, worst)][:each]
    right = np.flatnonzero(~wrong & ~np.isin(np.arange(len(wrong)), unsure))
    drawn = np.random.default_rng(0).permutation(right)[:each]
    return {
        "The most confident mistakes": worst,
        "The least certain": unsure,
        "Right ones, drawn by chance": drawn,
    }


def _group(run: ReportedRun, judged: JudgedClasses, name: str, places: np.ndarray) -> str:
    if not len(places):
        return f"<h3>{escape(name)}</h3><p>There are none.</p>"
    shown = shown_samples(run, places.tolist(), [_facts(judged, int(place)) for place in places])
    return f"<h3>{escape(name)}</h3>{shown}"


def _facts(judged: JudgedClasses, place: int) -> dict[str, object]:
    return {
        "truth": judged.names[judged.truth[place]],
        "prediction": judged.names[judged.predicted[place]],
        "probability": float(judged.confidence[place]),
        "outcome": WRONG if judged.wrong[place] else "right",
    }

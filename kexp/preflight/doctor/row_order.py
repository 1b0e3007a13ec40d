"""The order of rows, whose neighbours have like targets where rows follow in time or share a source."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kexp.data import Dataset
from kexp.preflight.doctor.base import DataCheck, class_labels, has_targets, target_numbers
from kexp.preflight.doctor.column_frames import has_columns
from kexp.preflight.findings import Finding

_LIKE = 0.5
_SORTED = 0.98


class RowOrder(DataCheck):
    """Likeness of the targets of rows that follow on one another, beyond chance and other than by sorting.

    Rows that are sorted by target say nothing of a source: parts are drawn at random. Windows of a series are
    left out, for those overlap.
    """

    name: ClassVar[str] = "row order"

    def applies(self, data: Dataset) -> bool:
        """Where rows are a table's, images or texts."""
        rows_of_their_own = has_columns(data.spec) or data.spec.kind in ("image", "text")
        return rows_of_their_own and has_targets(data)

    def findings(self, data: Dataset) -> list[Finding]:
        labels, numbers = class_labels(data), target_numbers(data)
        if labels is not None:
            like, is_sorted = agreement(labels), _is_in_runs(labels)
        else:
            assert numbers is not None
            varied = [target for target in numbers.T if np.ptp(target)]
            target = max(varied, key=_autocorrelation)
            like, is_sorted = _autocorrelation(target), _is_monotone(target)
        if is_sorted:
            return [Finding(self.name, "ok", "rows are sorted by target, which parts drawn at random undo.")]
        if like < _LIKE:
            return [Finding(self.name, "ok", f"rows that follow on one another are {_words(like)}.")]
        advice = "if they follow in time, test on the last ones, if they share a source, keep it in one part"
        return [
            Finding(self.name, "warning", f"rows that follow on one another are {_words(like)}; {advice}.")
        ]


def _words(like: float) -> str:
    return f"alike in target by {like:.2f} (0: chance, 1: always)"


def agreement(labels: np.ndarray) -> float:
    """Return how often neighbours have the same class: 0 as by chance, 1 always.

    Source:
        Wald and Wolfowitz 1940, "On a test whether two samples are from the same population": runs.

    Example:
        >>> agreement(np.array([0, 0, 0, 1, 1, 1])), agreement(np.array([0, 1] * 4)) < 0
        (0.6, True)
    """
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    chance = float((shares**2).sum())
    return round((float((labels[1:] == labels[:-1]).mean()) - chance) / (1 - chance), 4)


def _is_in_runs(labels: np.ndarray) -> bool:
    """Return whether rows are sorted by class, give or take: about as many runs as classes."""
    runs = 1 + int((labels[1:] != labels[:-1]).sum())
    return runs <= 2 * len(np.unique(labels))


def _autocorrelation(target: np.ndarray) -> float:
    here, there = target[:-1], target[1:]
    return float(np.corrcoef(here, there)[0, 1]) if np.ptp(here) and np.ptp(there) else 0.0


def _is_monotone(target: np.ndarray) -> bool:
    return max(float((np.diff(target) >= 0).mean()), float((np.diff(target) <= 0).mean())) >= _SORTED

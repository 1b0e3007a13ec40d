"""Statistics of the target among the columns: means by category, over rows of all parts perhaps."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from kexp.core.name_lists import listed
from kexp.data import Dataset
from kexp.preflight.doctor.base import DataCheck, class_labels, has_targets, target_numbers
from kexp.preflight.doctor.column_frames import coded, has_columns, is_number, is_whole
from kexp.preflight.doctor.column_frames import column_frame as columns
from kexp.preflight.findings import Finding

_GROUPS = 5
_ROWS = 5  # of a group, on average
_CLOSER_THAN_CHANCE = 0.7
_ALIKE = 0.5  # correlation
_MOST_CLASSES = 20


class TargetStatistics(DataCheck):
    """A column of numbers each of which is the mean of the target over the rows that have it.

    A mean over training rows alone is that exactly; one over all rows is closer to it than the spread of the
    target within a value explains, which is what a leak from other parts looks like.
    """

    name: ClassVar[str] = "target means"

    def applies(self, data: Dataset) -> bool:
        """Where a column has fractions that come back."""
        return (
            has_columns(data.spec) and has_targets(data) and bool(_repeated(columns(data.train, data.spec)))
        )

    def findings(self, data: Dataset) -> list[Finding]:
        frame = columns(data.train, data.spec)
        names, targets = _repeated(frame), _target_columns(data)
        told = [
            f"{name!r}{_by(frame, name)}"
            for name in names
            if any(is_mean_of(coded(frame[name]), target) for target in targets)
        ]
        if told:
            text = f"{listed(told)} equals the mean of the target over the rows of the same value"
            return [
                Finding(
                    self.name, "warning", f"{text}; compute it from training rows alone, within the model."
                )
            ]
        return [Finding(self.name, "ok", f"no column of {len(names)} looked at is a mean of the target.")]


def _repeated(frame: pd.DataFrame) -> list[str]:
    found = []
    for name in frame:
        values = frame[name].nunique()
        if is_number(frame[name]) and values >= _GROUPS and len(frame) >= _ROWS * values:
            found.append(str(name))
    return [name for name in found if not is_whole(frame[name])]


def _target_columns(data: Dataset) -> list[np.ndarray]:
    labels = class_labels(data)
    if labels is None:
        numbers = target_numbers(data)
        assert numbers is not None
        return [column.astype(np.float64) for column in numbers.T]
    return [(labels == label).astype(np.float64) for label in np.unique(labels)[:_MOST_CLASSES]]


def is_mean_of(column: np.ndarray, target: np.ndarray) -> bool:
    """Return whether each value of a column is the mean of the target over its rows, closer than by chance.

    Args:
        column: (samples,) numbers.
        target: (samples,) numbers.

    Source:
        Micci-Barreca 2001, "A preprocessing scheme for high-cardinality categorical attributes", for what
        such a column is.

    Example:
        >>> column = np.repeat([0.0, 0.25, 0.5, 0.75, 1.0], 4)
        >>> target = np.array([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1])
        >>> is_mean_of(column, target), is_mean_of(column, target[::-1])
        (True, False)
    """
    known = np.isfinite(column)
    groups = pd.Series(target[known]).groupby(column[known])
    means, counts = groups.mean(), groups.count()
    if len(means) < _GROUPS or not np.ptp(means):
        return False
    values = means.index.to_numpy(dtype=np.float64)
    spread = np.average(groups.var(ddof=0), weights=counts)
    off = float(((values - means) ** 2 * counts).mean())  # expected: spread, were the values true means
    is_close = off <= _CLOSER_THAN_CHANCE * spread or np.allclose(values, means, rtol=1e-5, atol=1e-6)
    return bool(is_close and np.corrcoef(values, means)[0, 1] >= _ALIKE)


def _by(frame: pd.DataFrame, name: str) -> str:
    """Return the column that a mean was taken by, in words, where one is there."""
    for other in frame:
        values = frame[other].nunique()
        is_finer = other != name and is_whole(frame[other]) and values >= frame[name].nunique()
        if is_finer and len(frame) > _ROWS * values and (frame.groupby(other)[name].nunique() <= 1).all():
            return f" (by {str(other)!r})"
    return ""

"""Groups, such as patients, whose rows stand in several parts, so that the test is of known ones."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from kexp.core.name_lists import listed
from kexp.data import Dataset
from kexp.preflight.doctor.base import (
    DataCheck,
    class_labels,
    has_targets,
    other_parts,
    target_numbers,
)
from kexp.preflight.doctor.column_frames import (
    column_frame,
    has_columns,
    is_grouping,
    training_frame,
    training_rows,
)
from kexp.preflight.findings import Finding

_SAME = 0.9  # of what can agree within a group beyond chance
_SHARED = 0.5  # of the rows of another part


class SharedGroups(DataCheck):
    """A column whose values stand in training and another part both, and settle the target nearly."""

    name: ClassVar[str] = "groups"

    def applies(self, data: Dataset) -> bool:
        """Where a column has many values that come back."""
        if not has_columns(data.spec) or not has_targets(data) or not list(other_parts(data)):
            return False
        frame = training_frame(data)
        return any(is_grouping(frame[name]) for name in frame)

    def findings(self, data: Dataset) -> list[Finding]:
        frame, told = training_frame(data), []
        names = [name for name in frame if is_grouping(frame[name])]
        for name in names:
            same, shared = _sameness(frame[name], data), _shared_rows(name, data)
            if same >= _SAME and max(shared.values()) >= _SHARED:
                rows = ", ".join(f"{share:.0%} of {part} rows" for part, share in shared.items())
                told.append(
                    (name, f"{name!r} settles the target ({same:.2f} of what chance leaves), and {rows} ")
                )
        if told:
            text = f"{listed([words for _, words in told])}have a value of it that training rows have"
            return [Finding(self.name, "warning", f"{text}; split with group={told[0][0]!r}.")]
        shown = listed([repr(name) for name in names])
        return [Finding(self.name, "ok", f"the values of {shown} come back, and do not settle the target.")]


def _shared_rows(name: str, data: Dataset) -> dict[str, float]:
    """Return the share of each other part's rows whose value of a column training rows have too."""
    known = column_frame(data.train, data.spec)[name].unique()
    return {
        part: float(column_frame(split, data.spec)[name].isin(known).mean())
        for part, split in other_parts(data)
    }


def _sameness(column: pd.Series, data: Dataset) -> float:
    """Return how alike targets are within a group: 0 as by chance, 1 the same."""
    labels, rows = class_labels(data), training_rows(data)
    groups = pd.factorize(column, use_na_sentinel=False)[0]
    if labels is not None:
        return _agreement_within(groups, labels[rows])
    numbers = target_numbers(data)
    assert numbers is not None
    return max(_variance_between(groups, target) for target in numbers[rows].T if np.ptp(target))


def _agreement_within(groups: np.ndarray, labels: np.ndarray) -> float:
    """Return how often two rows of a group are of the same class, beyond chance."""
    table = pd.crosstab(groups, labels).to_numpy().astype(float)
    sizes = table.sum(axis=1)
    pairs = (sizes * (sizes - 1)).sum()
    agreeing = (table * (table - 1)).sum() / max(1.0, pairs)
    chance = ((table.sum(axis=0) / sizes.sum()) ** 2).sum()
    return float((agreeing - chance) / (1 - chance))


def _variance_between(groups: np.ndarray, target: np.ndarray) -> float:
    """Return the share of the variance that is between groups, less what as many random groups would have."""
    frame = pd.DataFrame({"group": groups, "target": target.astype(np.float64)})
    within = frame.groupby("group")["target"].transform(lambda values: values - values.mean())
    freedom = len(frame) - frame["group"].nunique()
    return float(1 - (within**2).sum() / max(1, freedom) / frame["target"].var())

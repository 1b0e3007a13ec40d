"""Ids that predict the target, which says how rows were collected rather than anything about them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from kexp.core.name_lists import listed
from kexp.data import Dataset
from kexp.preflight.doctor.base import DataCheck, has_targets
from kexp.preflight.doctor.column_frames import (
    coded,
    has_columns,
    is_identifier,
    predictive_share,
    training_frame,
)
from kexp.preflight.findings import Finding

_MUCH = 0.5  # of the way from chance to perfect
_SORTED = 0.999


class IdColumns(DataCheck):
    """A column that is another in nearly every row, an id or an index, and predicts the target."""

    name: ClassVar[str] = "ids"

    def applies(self, data: Dataset) -> bool:
        """Where a column has names or whole numbers that are distinct."""
        return has_columns(data.spec) and has_targets(data) and bool(_identifiers(training_frame(data)))

    def findings(self, data: Dataset) -> list[Finding]:
        frame = training_frame(data)
        names, told = _identifiers(frame), []
        for name in names:
            share, words = predictive_share(frame[name], data)
            if share >= _MUCH:
                told.append(f"{name!r}{_order(frame[name])} predicts the target ({words})")
        if told:
            text = f"{listed(told)}, though it is another value in nearly every row"
            return [Finding(self.name, "warning", f"{text}; leave it out unless it is a quantity.")]
        shown = listed([repr(name) for name in names])
        return [
            Finding(self.name, "ok", f"{shown} is another value in nearly every row, and predicts nothing.")
        ]


def _identifiers(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame if is_identifier(frame[name])]


def _order(column: pd.Series) -> str:
    values = coded(column)
    ranks = pd.Series(values).rank().to_numpy()
    along = np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]
    return ", in the order of the rows," if abs(along) >= _SORTED else ""

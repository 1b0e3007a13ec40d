"""Scaling that was fitted to all rows, so that training data knows of the others."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from kexp.core.name_lists import listed
from kexp.data import Dataset
from kexp.preflight.doctor.base import DataCheck, has_targets, other_parts
from kexp.preflight.doctor.column_frames import column_frame, has_columns, is_number
from kexp.preflight.findings import Finding

_VALUES = 10
_ZERO = 1e-5


class WholeScaling(DataCheck):
    """Columns whose mean and deviation, or range, are 0 and 1 over all parts together alone."""

    name: ClassVar[str] = "scaling"

    def applies(self, data: Dataset) -> bool:
        """Where there are columns and other parts."""
        return has_columns(data.spec) and has_targets(data) and bool(list(other_parts(data)))

    def findings(self, data: Dataset) -> list[Finding]:
        train = _numbers(column_frame(data.train, data.spec))
        others = [column_frame(split, data.spec)[train.columns] for _, split in other_parts(data)]
        whole = pd.concat([train, *others])
        scaled = [name for name in train if _is_standard(whole[name]) or _is_ranged(whole[name])]
        told = [name for name in scaled if not (_is_standard(train[name]) or _is_ranged(train[name]))]
        if len(scaled) > train.shape[1] / 2 and len(told) >= min(2, train.shape[1]):
            shown = listed([repr(name) for name in told])
            text = f"{shown} are scaled to 0 and 1 over all rows, not over training rows"
            advice = "give them as they are, the model scales them itself"
            return [Finding(self.name, "warning", f"{text}; {advice}.")]
        return [Finding(self.name, "ok", "no sign that columns were scaled over all parts together.")]


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    kept = [name for name in frame if is_number(frame[name]) and frame[name].nunique() > _VALUES]
    return frame[kept].astype(np.float64)


def _is_standard(column: pd.Series) -> bool:
    off = min(abs(column.std(ddof=freedom) - 1) for freedom in (0, 1))
    return bool(abs(column.mean()) < _ZERO and off < _ZERO)


def _is_ranged(column: pd.Series) -> bool:
    """Return whether the range is 0 to 1, its end reached once: shares and brightnesses reach it often."""
    reaches = abs(column.min()) < _ZERO and abs(column.max() - 1) < _ZERO
    return bool(reaches and (column > 1 - _ZERO).sum() == 1)

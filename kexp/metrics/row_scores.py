"""Scores of single rows, whose mean is a metric: what a paired comparison resamples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class RowScores(NamedTuple):
    """What each row of a split adds to a metric.

    Attributes:
        metric: Its name, without a prefix.
        values: (samples,).
        is_root: Whether the metric is the root of their mean, rather than the mean.
        is_share: Whether it is a share from 0 to 1, of which people speak in points of a hundred.
    """

    metric: str
    values: np.ndarray
    is_root: bool = False
    is_share: bool = False

    @property
    def figure(self) -> float:
        """The metric.

        Example:
            >>> RowScores("root_mean_squared_error", np.array([1.0, 7.0]), is_root=True).figure
            2.0
        """
        mean = float(np.mean(self.values, dtype=np.float64))
        return float(np.sqrt(mean)) if self.is_root else mean

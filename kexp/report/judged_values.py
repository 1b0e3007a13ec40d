"""Judged values: what a regression predicts, beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.data.dataset import DatasetSpec

if TYPE_CHECKING:
    from kexp.tasks.predictions import Predictions


@dataclass(frozen=True, eq=False)
class JudgedValues:
    """Truth and prediction of n samples.

    Attributes:
        names: Of the targets, in order.
        truth: (n, targets).
        predicted: (n, targets).
    """

    names: tuple[str, ...]
    truth: np.ndarray
    predicted: np.ndarray

    @property
    def residuals(self) -> np.ndarray:
        """(n, targets) truth less prediction."""
        return self.truth - self.predicted

    def sizes(self) -> np.ndarray:
        """Return (n,) how far off each sample is: the largest residual in standard deviations of its target.

        Example:
            >>> truth = np.array([[0.0, 0.0], [2.0, 200.0]])
            >>> JudgedValues(("a", "b"), truth, truth + [[1.0, 50.0], [0.0, 0.0]]).sizes().tolist()
            [1.0, 0.0]
        """
        spread = self.truth.std(axis=0)
        return np.abs(self.residuals / np.where(spread > 0, spread, 1.0)).max(axis=1)


def judge_values(targets: Any, predictions: Predictions, spec: DatasetSpec) -> JudgedValues | None:
    """Return truth and prediction, or None where they are not as many finite numbers each.

    Args:
        targets: (n,) or (n, targets) of the data.
        predictions: For the same samples.
        spec: What the model was made for.
    """
    truth, values = np.asarray(targets, dtype=np.float64), np.asarray(predictions.values, dtype=np.float64)
    truth = truth[:, None] if truth.ndim == 1 else truth
    if truth.shape != values.shape or truth.ndim != 2 or not truth.size:
        return None
    names = spec.target_names or (
        (spec.target,)
        if spec.outputs == 1
        else tuple(f"{spec.target} {number}" for number in range(spec.outputs))
    )
    return JudgedValues(tuple(names), truth, values) if np.isfinite(truth - values).all() else None

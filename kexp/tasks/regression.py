"""Regression: one number or several for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from kexp.data.dataset import DatasetSpec
from kexp.metrics.direction import Direction
from kexp.metrics.exact_metrics import regression_metrics, regression_names
from kexp.metrics.intervals import Interval, error_intervals
from kexp.metrics.row_scores import RowScores
from kexp.tasks.base import Arrays, Task

if TYPE_CHECKING:
    import keras


class Regression(Task):
    """Predicts "values", (n, outputs) float32, in the units of the targets."""

    name: ClassVar[str] = "regression"
    has_residuals: ClassVar[bool] = True
    output_noun: ClassVar[str] = "targets"
    undefined: ClassVar[str] = "a target has only one value in it"

    def loss(self, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        import keras

        return keras.losses.MeanSquaredError()

    def metrics(self, spec: DatasetSpec, *, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
        import keras

        return keras.metrics.RootMeanSquaredError(), keras.metrics.MeanAbsoluteError()

    def component_names(self, spec: DatasetSpec) -> Sequence[str]:
        return spec.target_names

    def exact_metrics(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, float]:
        targets, values = _columns(targets), predictions["values"]
        return regression_metrics(targets, values, spec.target_names) if targets.shape == values.shape else {}

    def intervals(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, Interval]:
        targets, values = _columns(targets), predictions["values"]
        return error_intervals(targets, values) if targets.shape == values.shape else {}

    def pipeline_tag(self, spec: DatasetSpec) -> str | None:
        return "tabular-regression" if spec.kind == "table" else None

    def row_scores(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> RowScores | None:
        targets, values = _columns(targets), np.asarray(predictions["values"], np.float64)
        if targets.shape != values.shape or not np.isfinite(values).all():
            return None
        errors = np.square(values - targets).mean(axis=1)
        return RowScores("root_mean_squared_error", errors, is_root=True)

    def exact_names(self, spec: DatasetSpec) -> dict[str, Direction]:
        """Return the names for all targets together and, of several, for each."""
        names = regression_names(spec.outputs, spec.target_names)
        return {name: "max" if name.startswith("r2") else "min" for name in names}


def _columns(targets: np.ndarray) -> np.ndarray:
    """Return targets as (samples, outputs)."""
    array = np.asarray(targets)
    return array[:, None] if array.ndim == 1 else array

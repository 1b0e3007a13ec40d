"""Regression: one number or several for each sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kexp.data.dataset import DatasetSpec
from kexp.tasks.base import Task

if TYPE_CHECKING:
    import keras


class Regression(Task):
    """Predicts "values", (n, outputs) float32, in the units of the targets."""

    name: ClassVar[str] = "regression"
    output_noun: ClassVar[str] = "targets"

    def loss(self, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        import keras

        return keras.losses.MeanSquaredError()

    def metrics(self, spec: DatasetSpec, *, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
        import keras

        return keras.metrics.RootMeanSquaredError(), keras.metrics.MeanAbsoluteError()

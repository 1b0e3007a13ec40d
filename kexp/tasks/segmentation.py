"""Segmentation: one class for each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.data.dataset import DatasetSpec, class_names
from kexp.tasks.base import Arrays
from kexp.tasks.class_choice import Choice, served_probabilities

if TYPE_CHECKING:
    import keras
    import pandas as pd


class Segmentation(Choice):
    """Predicts the "mask", (n, height, width) int32, and "probabilities", (n, height, width, classes)."""

    name: ClassVar[str] = "segmentation"
    has_classes: ClassVar[bool] = True
    can_augment: ClassVar[bool] = False
    class_metric: ClassVar[tuple[str, str]] = (
        "Intersection over union of each class",
        "Pixels of a class that were found, over those that are its own or were taken for its own. "
        "A class that neither occurs nor is predicted has 0 here and is left out of mean_iou.",
    )
    counted: ClassVar[str] = "pixels"
    monitor: ClassVar[str] = "val_mean_iou"

    def metrics(self, spec: DatasetSpec, *, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
        from kexp.metrics.training.iou import iou_metrics

        return *super().metrics(spec, from_logits=from_logits), *iou_metrics(spec.class_names)

    def class_metrics(self, spec: DatasetSpec) -> dict[str, str]:
        """Return the names of the classes by those of their intersections over union."""
        from kexp.metrics.training.iou import metric_names

        return dict(zip(metric_names(spec.class_names), spec.class_names, strict=True))

    def output_shape(self, spec: DatasetSpec) -> tuple[int, ...]:
        """Return (height, width, classes)."""
        return (*spec.input_shape[:2], spec.outputs)

    def _chosen(self, probabilities: np.ndarray, spec: DatasetSpec) -> dict[str, np.ndarray]:
        return {"mask": probabilities.argmax(axis=-1).astype(np.int32), "probabilities": probabilities}

    def expected_columns(self, targets: Any, spec: DatasetSpec) -> dict[str, Sequence[object]]:
        """Return nothing: a mask has no place in a cell."""
        return {}

    def frame(self, predictions: Arrays, spec: DatasetSpec) -> pd.DataFrame:
        """Return a table of the share of pixels of each class."""
        import pandas as pd

        masks = predictions["mask"]
        shares = [(masks == index).mean(axis=(1, 2)) for index in range(spec.outputs)]
        return pd.DataFrame(np.stack(shares, axis=-1), columns=list(class_names(spec)))

    def pipeline_tag(self, spec: DatasetSpec) -> str | None:
        return "image-segmentation"

    def served_outputs(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, Any]:
        import tensorflow as tf

        # (n, height, width, classes)
        probabilities = served_probabilities(outputs, from_probabilities, spec.temperature)
        masks = tf.argmax(probabilities, axis=-1, output_type=tf.int32)  # (n, height, width)
        return {"mask": masks, "probabilities": probabilities}

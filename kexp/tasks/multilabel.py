"""Multi-label classification: any number of labels for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.types import Tensor
from kexp.data.dataset import DatasetSpec, class_names
from kexp.metrics.direction import Direction
from kexp.metrics.exact_metrics import MULTILABEL, best_thresholds, multilabel_metrics
from kexp.metrics.row_scores import RowScores
from kexp.tasks.base import Arrays, Task, require_rows
from kexp.tasks.class_choice import CLASSIFICATION_TAGS, sigmoid
from kexp.tasks.expected_loss import smoothed_entropy
from kexp.tasks.metric_inputs import label_inputs

if TYPE_CHECKING:
    import keras
    import pandas as pd

_JOINED_BY = ";"


class Multilabel(Task):
    """Predicts "labels", (n, labels) names with "" for those not given, and "probabilities", (n, labels).

    A label is given above its threshold, which is chosen on validation data after training.
    """

    name: ClassVar[str] = "multilabel"
    has_logits: ClassVar[bool] = True
    output_noun: ClassVar[str] = "labels"
    undefined: ClassVar[str] = "no sample in it has a label"

    def loss(self, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        import keras

        return keras.losses.BinaryCrossentropy(from_logits=from_logits, label_smoothing=label_smoothing)

    def metrics(self, spec: DatasetSpec, *, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
        import keras

        return (keras.metrics.BinaryAccuracy(),)

    def accuracy(self, name: str) -> keras.metrics.Metric:
        """Return the share of labels that are rightly given or not, above 0.5."""
        import keras

        return keras.metrics.BinaryAccuracy(name=name)

    def metric_inputs(
        self, metric: keras.metrics.Metric, targets: Tensor, outputs: Tensor, *, from_logits: bool
    ) -> tuple[Any, Any]:
        return label_inputs(metric, targets, outputs, from_logits=from_logits)

    def component_names(self, spec: DatasetSpec) -> Sequence[str]:
        return class_names(spec)

    def units_apart(self, spec: DatasetSpec, units: int) -> bool:
        return True

    def least_loss(self, loss: Any, spec: DatasetSpec, label_smoothing: float) -> float:
        import keras

        known = isinstance(loss, keras.losses.BinaryCrossentropy)
        return smoothed_entropy(label_smoothing, 2) if known else 0.0

    def _predictions_of(
        self, outputs: np.ndarray, spec: DatasetSpec, from_probabilities: bool
    ) -> dict[str, np.ndarray]:
        probabilities = outputs if from_probabilities else sigmoid(outputs)
        names = np.array(class_names(spec), dtype=object)
        given = probabilities > _thresholds(spec)
        return {"labels": np.where(given, names, ""), "probabilities": probabilities}

    def frame(self, predictions: Arrays, spec: DatasetSpec) -> pd.DataFrame:
        """Return a table of the labels, joined in one text, and a probability per label."""
        import pandas as pd

        # A label may itself be called "labels"; two columns of one name cannot be written to Parquet.
        columns = ["probability of labels" if name == "labels" else name for name in class_names(spec)]
        frame = pd.DataFrame(predictions["probabilities"], columns=columns)
        joined = (spec.separator or _JOINED_BY).join
        frame.insert(0, "labels", [joined(filter(None, row)) for row in predictions["labels"]])
        return frame

    def exact_metrics(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, float]:
        targets = np.asarray(targets)
        if targets.shape != predictions["probabilities"].shape or not np.isin(targets, (0, 1)).all():
            return {}
        return multilabel_metrics(targets, predictions["probabilities"], spec.thresholds)

    def row_scores(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> RowScores | None:
        """Return the share of a sample's labels that are rightly given or not, above 0.5."""
        targets, probabilities = np.asarray(targets), predictions["probabilities"]
        if targets.shape != probabilities.shape or not np.isfinite(probabilities).all():
            return None
        right = (probabilities > 0.5) == (targets > 0.5)
        return RowScores("binary_accuracy", right.mean(axis=1), is_share=True)

    def exact_names(self, spec: DatasetSpec) -> dict[str, Direction]:
        return dict.fromkeys(MULTILABEL, "max")

    def fitted(self, spec: DatasetSpec, targets: np.ndarray, predictions: Arrays) -> DatasetSpec:
        """Return a spec with the threshold of each label that has the largest F1."""
        targets = np.asarray(targets)
        if targets.shape != predictions["probabilities"].shape:
            return spec
        return replace(spec, thresholds=best_thresholds(targets, predictions["probabilities"]))

    def pipeline_tag(self, spec: DatasetSpec) -> str | None:
        return CLASSIFICATION_TAGS.get(spec.kind)

    def served_outputs(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, Any]:
        import tensorflow as tf

        outputs = tf.cast(outputs, tf.float32)  # (n, labels)
        probabilities = outputs if from_probabilities else tf.sigmoid(outputs)
        given = probabilities > tf.constant(_thresholds(spec))
        return {"labels": tf.where(given, tf.constant(class_names(spec)), ""), "probabilities": probabilities}

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        for name in ("probabilities", "labels"):
            require_rows(predictions.get(name), (samples, *self.output_shape(spec)))

    def tied(self, predictions: Arrays, tolerance: float, spec: DatasetSpec) -> np.ndarray | np.bool_:
        """Return where a probability is at its threshold, (samples, labels) bool."""
        probabilities = predictions.get("probabilities")
        if probabilities is None:
            return np.False_
        return np.abs(probabilities - _thresholds(spec)) <= tolerance

    def example_columns(
        self, targets: Any, predictions: Arrays, spec: DatasetSpec
    ) -> dict[str, Sequence[object]]:
        joined = (spec.separator or _JOINED_BY).join
        answers = [joined(filter(None, row)) for row in predictions["labels"]]
        return {**self.expected_columns(targets, spec), "answer": answers}

    def expected_columns(self, targets: Any, spec: DatasetSpec) -> dict[str, Sequence[object]]:
        names, joined = np.array(class_names(spec), dtype=object), (spec.separator or _JOINED_BY).join
        return {"expected": [joined(names[row > 0.5]) for row in np.asarray(targets)]}


def _thresholds(spec: DatasetSpec) -> np.ndarray:  # (labels,) float32
    return np.asarray(spec.thresholds or [0.5] * spec.outputs, np.float32)

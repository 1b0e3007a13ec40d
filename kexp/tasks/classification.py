"""Classification: one class for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data.dataset import DatasetSpec, class_names
from kexp.data.targets.columns import is_one_hot
from kexp.metrics.direction import Direction, better
from kexp.metrics.exact_metrics import BINARY, MULTICLASS, binary_metrics, multiclass_metrics
from kexp.metrics.intervals import Interval, share_interval
from kexp.metrics.row_scores import RowScores
from kexp.tasks.base import Arrays
from kexp.tasks.class_choice import CLASSIFICATION_TAGS, Choice, served_probabilities

if TYPE_CHECKING:
    import pandas as pd


class Classification(Choice):
    """Predicts the "label", (n,) names of classes, and the "probabilities", (n, classes) float32."""

    name: ClassVar[str] = "classification"
    has_classes: ClassVar[bool] = True
    has_labels: ClassVar[bool] = True
    monitor: ClassVar[str] = "val_accuracy"

    def metric_targets(self, targets: Tensor) -> Any:
        """Return class indices: of labels that were mixed, the heaviest."""
        from keras import ops

        return ops.argmax(targets, axis=-1) if len(targets.shape) > 1 else targets

    def _chosen(self, probabilities: np.ndarray, spec: DatasetSpec) -> dict[str, np.ndarray]:
        names = np.array(class_names(spec), dtype=object)
        return {"label": names[probabilities.argmax(axis=1)], "probabilities": probabilities}

    def frame(self, predictions: Arrays, spec: DatasetSpec) -> pd.DataFrame:
        """Return a table of the label and a probability per class."""
        import pandas as pd

        # A class may itself be called "label"; two columns of one name cannot be written to Parquet.
        columns = ["probability of label" if name == "label" else name for name in class_names(spec)]
        frame = pd.DataFrame(predictions["probabilities"], columns=columns)
        frame.insert(0, "label", predictions["label"])
        return frame

    def exact_metrics(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, float]:
        indices = class_indices(np.asarray(targets), spec.outputs)
        if indices is None:
            return {}
        measured = binary_metrics if spec.outputs == 2 else multiclass_metrics
        return measured(indices, predictions["probabilities"])

    def intervals(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, Interval]:
        indices = class_indices(np.asarray(targets), spec.outputs)
        if indices is None or not len(indices):
            return {}
        return {"accuracy": share_interval(predictions["probabilities"].argmax(axis=1) == indices)}

    def row_scores(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> RowScores | None:
        indices = class_indices(np.asarray(targets), spec.outputs)
        probabilities = predictions["probabilities"]
        if indices is None or not np.isfinite(probabilities).all():
            return None
        return RowScores("accuracy", (probabilities.argmax(axis=1) == indices).astype(float), is_share=True)

    def exact_names(self, spec: DatasetSpec) -> dict[str, Direction]:
        return {name: better(name) for name in (BINARY if spec.outputs == 2 else MULTICLASS)}

    def pipeline_tag(self, spec: DatasetSpec) -> str | None:
        return CLASSIFICATION_TAGS.get(spec.kind)

    def served_outputs(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, Any]:
        import tensorflow as tf

        # (n, classes)
        probabilities = served_probabilities(outputs, from_probabilities, spec.temperature)
        names = tf.constant(class_names(spec))
        return {"label": tf.gather(names, tf.argmax(probabilities, axis=-1)), "probabilities": probabilities}

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        super().check_predictions(predictions, samples, spec)
        labels = predictions.get("label")
        if labels is None or len(labels) != samples:
            raise InputError(
                f"expected must hold a label for each of the {samples} samples, received fewer or more; "
                "make it with Predictions.from_outputs."
            )

    def example_columns(
        self, targets: Any, predictions: Arrays, spec: DatasetSpec
    ) -> dict[str, Sequence[object]]:
        return {
            **self.expected_columns(targets, spec),
            "answer": list(predictions["label"]),
            "its probability": list(predictions["probabilities"].max(axis=1)),
        }

    def expected_columns(self, targets: Any, spec: DatasetSpec) -> dict[str, Sequence[object]]:
        names, indices = class_names(spec), class_indices(np.asarray(targets), spec.outputs)
        if indices is None:  # labels that were mixed, of which the heaviest is shown
            indices = np.asarray(targets).argmax(axis=1)
        return {"expected": [names[index] for index in indices]}


def class_indices(targets: np.ndarray, classes: int) -> np.ndarray | None:
    """Return (samples,) class indices of targets in any form that Keras takes, None if they are shares.

    Args:
        targets: (samples,) or (samples, 1) indices, or (samples, classes) with a 1 in each row.
        classes: How many there are.

    Example:
        >>> class_indices(np.eye(3)[[2, 0]], 3).tolist(), class_indices(np.array([[1.0], [0.0]]), 2).tolist()
        ([2, 0], [1, 0])
    """
    if targets.ndim == 2 and targets.shape[1] == classes > 1:
        return targets.argmax(axis=1) if is_one_hot(targets) else None
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    return (
        targets.astype(np.int64) if targets.ndim == 1 and np.isin(targets, np.arange(classes)).all() else None
    )

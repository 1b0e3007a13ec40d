"""Detection: boxes on an image, each with a class and a score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import DatasetSpec, class_names
from kexp.data.targets.boxes import classes_of
from kexp.metrics.detection_metrics import (
    best_scores,
    class_metric_names,
    detection_metrics,
    detection_names,
)
from kexp.metrics.direction import Direction
from kexp.tasks.base import Arrays, Task, require_rows, wrong_shape

if TYPE_CHECKING:
    import keras
    import pandas as pd

MOST = 100  # detections of an image
_AT_ONCE = 32  # images, whose candidates are compared pair by pair
_PLACES = 2  # decimals of a pixel in a table
_THRESHOLD = 0.5  # least score of a detection in a table, where none was chosen


class Detection(Task):
    """Predicts "box", (n, 100, 4), "label", (n, 100) names of classes or "", and "score", (n, 100)."""

    name: ClassVar[str] = "detection"
    has_boxes: ClassVar[bool] = True
    has_classes: ClassVar[bool] = True
    ties_reorder: ClassVar[bool] = True
    class_metric: ClassVar[tuple[str, str]] = (
        "Average precision of each class",
        "The precision at 101 recalls, in the mean over them and over ten overlaps for a hit, 0.5 to 0.95.",
    )
    counted: ClassVar[str] = "objects"
    monitor: ClassVar[str] = "val_map"
    undefined: ClassVar[str] = "it has no boxes of that kind"

    def loss(self, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        from kexp.metrics.training.detection_loss import DetectionLoss

        if label_smoothing:
            raise InputError(
                f"label_smoothing must be 0 for detection, whose classes are trained on how well boxes fit; "
                f"received {label_smoothing!r}, so leave it out."
            )
        return DetectionLoss()

    def class_metrics(self, spec: DatasetSpec) -> dict[str, str]:
        """Return the names of the classes by those of their average precision."""
        return dict(class_metric_names(class_names(spec)))

    def labels_of(self, targets: np.ndarray) -> np.ndarray:
        return classes_of(targets)

    def fits_outputs(self, spec: DatasetSpec, received: tuple[int, ...]) -> bool:
        """Return whether outputs are a box, its place and logits for each of any number of locations."""
        return len(received) == 2 and received[1] == spec.outputs + 6

    def check_training_outputs(
        self, model: str, spec: DatasetSpec, targets: np.ndarray, received: tuple[int, ...]
    ) -> None:
        if not self.fits_outputs(spec, received):
            what = f"for boxes of {spec.outputs} classes, as kexp.models.detector gives"
            raise wrong_shape(model, self.output_shape(spec), received, what)

    def output_shape(self, spec: DatasetSpec) -> tuple[int, ...]:
        """Return (locations, 6 + classes) of one location; a model has as many as it likes."""
        return (1, 6 + spec.outputs)

    def _predictions_of(
        self, outputs: np.ndarray, spec: DatasetSpec, from_probabilities: bool
    ) -> dict[str, np.ndarray]:
        from keras import ops

        from kexp.models.layers.box_layers import suppressed

        parts: list[dict[str, np.ndarray]] = []
        for first in range(0, max(len(outputs), 1), _AT_ONCE):
            some = suppressed(ops.convert_to_tensor(outputs[first : first + _AT_ONCE]), spec.input_shape[:2])
            parts.append({name: np.array(one) for name, one in some.items()})
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        names = np.array((*class_names(spec), ""), dtype=object)
        return {"box": found["box"], "label": names[found["class"]], "score": found["score"]}

    def named_predictions(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, np.ndarray]:
        outputs = np.asarray(outputs, dtype=np.float32)
        if not self.fits_outputs(spec, outputs.shape[1:]):
            raise InputError(
                f"outputs must have the shape (samples, locations, {spec.outputs + 6}), received "
                f"{outputs.shape}; take a model of kexp.models.detector."
            )
        return self._predictions_of(outputs, spec, from_probabilities)

    def frame(self, predictions: Arrays, spec: DatasetSpec) -> pd.DataFrame:
        """Return a table of how many objects there are, and what and where as JSON text, the surest first.

        Left out are those below the score that was chosen for their class on validation data.
        """
        import pandas as pd

        found = [objects_of(predictions, image, spec) for image in range(len(predictions["score"]))]
        texts = [json.dumps(objects) for objects in found]
        return pd.DataFrame({"objects": list(map(len, found)), "detections": texts})

    def exact_metrics(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, float]:
        return detection_metrics(targets, *indexed(predictions, spec), class_names(spec))

    def exact_names(self, spec: DatasetSpec) -> dict[str, Direction]:
        return dict.fromkeys(detection_names(class_names(spec)), "max")

    def fitted(self, spec: DatasetSpec, targets: np.ndarray, predictions: Arrays) -> DatasetSpec:
        """Return a spec with the least score of each class at which its F1 at an overlap of 0.5 is best."""
        from dataclasses import replace

        return replace(spec, thresholds=best_scores(targets, *indexed(predictions, spec), spec.outputs))

    def example_columns(
        self, targets: Any, predictions: Arrays, spec: DatasetSpec
    ) -> dict[str, Sequence[object]]:
        """Return nothing: boxes have no place in a cell."""
        return {}

    def expected_columns(self, targets: Any, spec: DatasetSpec) -> dict[str, Sequence[object]]:
        """Return nothing: boxes have no place in a cell."""
        return {}

    def pipeline_tag(self, spec: DatasetSpec) -> str | None:
        return "object-detection"

    def served_outputs(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, Any]:
        import tensorflow as tf

        from kexp.models.layers.box_layers import suppressed

        found = suppressed(outputs, spec.input_shape[:2])
        names = tf.constant((*class_names(spec), ""))
        kinds = tf.where(found["class"] < 0, spec.outputs, found["class"])
        return {"box": found["box"], "label": tf.gather(names, kinds), "score": found["score"]}

    def check_model_outputs(self, outputs: Any, spec: DatasetSpec) -> None:
        shape = getattr(outputs, "shape", None)
        if shape is None or not self.fits_outputs(spec, tuple(shape)[1:]):
            raise InputError(
                f"model must give one tensor of shape (samples, locations, {spec.outputs + 6}), received "
                f"{'several tensors' if shape is None else tuple(shape)}; take one of kexp.models.detector."
            )

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        require_rows(predictions.get("box"), (samples, MOST, 4))

    def tied(self, predictions: Arrays, tolerance: float, spec: DatasetSpec) -> np.ndarray | np.bool_:
        """Return which detections have scores so alike that either may come first, (n, 100) bool."""
        scores = predictions.get("score")
        if scores is None:
            return np.False_
        from kexp.models.layers.box_layers import LEAST_SCORE

        # By their ratio, as the noise of a logit moves them. Those that are none have 0.
        near = (-np.diff(scores, axis=1) <= tolerance * scores[:, 1:]) & (scores[:, 1:] > 0)
        tied = np.abs(scores - LEAST_SCORE) <= tolerance * LEAST_SCORE
        tied[:, 1:] |= near
        tied[:, :-1] |= near
        # The last place may go to one that stands no more in the list.
        tied[:, -1] |= scores[:, -1] > 0
        return tied


def indexed(predictions: Arrays, spec: DatasetSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return boxes, class indices, -1 where there is none, and scores of predictions.

    Example:
        >>> spec = DatasetSpec("image", (8, 8, 1), "uint8", "detection", 2, ("cat", "dog"))
        >>> found = {"box": np.zeros((1, 2, 4)), "label": np.array([["dog", ""]]), "score": np.zeros((1, 2))}
        >>> indexed(found, spec)[1].tolist()
        [[1, -1]]
    """
    places = {name: index for index, name in enumerate(class_names(spec))}
    labels = predictions["label"]
    flat = np.array([places.get(label, -1) for label in labels.ravel()], np.int64)
    return predictions["box"], flat.reshape(labels.shape), predictions["score"]


def least_scores(spec: DatasetSpec) -> dict[str, float]:
    """Return the least score of a detection by its class: what was chosen on validation data, or 0.5.

    Example:
        >>> least_scores(DatasetSpec("image", (8, 8, 1), "uint8", "detection", 1, ("cat",)))
        {'cat': 0.5}
    """
    return dict(zip(class_names(spec), spec.thresholds or [_THRESHOLD] * spec.outputs, strict=True))


def objects_of(predictions: Arrays, image: int, spec: DatasetSpec) -> list[dict[str, Any]]:
    """Return the objects of an image that are sure enough: label, score and box, the surest first.

    Args:
        predictions: By name, (samples, ...) each.
        image: Place of the image.
        spec: With the least score of each class, if those were chosen.

    Example:
        >>> spec = DatasetSpec("image", (8, 8, 1), "uint8", "detection", 1, ("cat",), thresholds=(0.4,))
        >>> found = {
        ...     "box": np.ones((1, 2, 4)),
        ...     "label": np.array([["cat", "cat"]]),
        ...     "score": np.array([[0.9, 0.3]]),
        ... }
        >>> objects_of(found, 0, spec)
        [{'label': 'cat', 'score': 0.9, 'box': [1.0, 1.0, 1.0, 1.0]}]
    """
    least = least_scores(spec)
    rows = zip(*(predictions[name][image] for name in ("label", "score", "box")), strict=True)
    return [
        {
            "label": str(label),
            "score": round(float(score), 4),
            "box": [round(float(number), _PLACES) for number in box],
        }
        for label, score, box in rows
        if label and score >= least[str(label)]
    ]

"""What a step minimises and what is measured on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from kexp.data import Spec
from kexp.errors import InputError


@dataclass(frozen=True)
class Objective:
    """A loss, metrics, and the figure that epochs are compared by.

    Attributes:
        loss: A Keras loss.
        metrics: Keras metrics of targets and outputs.
        monitor: The figure on the validation data that the best epoch is chosen by.
        mode: Whether the best is the "max" or the "min" of it.
        from_logits: Whether a classifier's outputs are logits rather than probabilities.
    """

    loss: keras.losses.Loss
    metrics: tuple[keras.metrics.Metric, ...]
    monitor: str
    mode: str
    from_logits: bool

    def compute(self, model: keras.Model, inputs: Any, targets: Any, *, training: bool) -> tuple[Any, Any]:
        """Return the loss over a batch, the model's own penalties included, and the outputs."""
        outputs = model(inputs, training=training)
        return self.loss(targets, outputs) + sum(model.losses), outputs


@keras.saving.register_keras_serializable(package="kexp")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of class indices, a share of each label spread evenly over all classes.

    Args:
        label_smoothing: The share, default 0.1, from 0 to 0.5 (Szegedy et al. 2016).
        from_logits: Whether the predictions are logits, default True.
    """

    def __init__(self, label_smoothing: float = 0.1, from_logits: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Any) -> Any:
        one_hot = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), y_pred.shape[-1])
        return keras.losses.categorical_crossentropy(
            one_hot, y_pred, from_logits=self.from_logits, label_smoothing=self.label_smoothing
        )

    def get_config(self) -> dict[str, Any]:
        own = {"label_smoothing": self.label_smoothing, "from_logits": self.from_logits}
        return {**super().get_config(), **own}


def supervised(
    spec: Spec,
    *,
    from_logits: bool = True,
    loss: keras.losses.Loss | str | None = None,
    metrics: Sequence[keras.metrics.Metric] | None = None,
    label_smoothing: float = 0.0,
) -> Objective:
    """Return the objective that fits the task: cross-entropy and accuracy, or squared error and RMSE.

    Args:
        spec: What the data is.
        from_logits: Whether a classifier gives logits (default) or probabilities.
        loss: A Keras loss in place of the task's own.
        metrics: Keras metrics in place of the task's own.
        label_smoothing: Share of a label spread over all classes, default 0; classification only.

    Raises:
        InputError: A metric is not a Keras metric.
    """
    for metric in metrics or ():
        if not isinstance(metric, keras.metrics.Metric):
            raise InputError(
                f"metrics must be Keras metric objects such as keras.metrics.AUC(); received {metric!r}."
            )
    classification = spec.task == "classification"
    own = _classification(from_logits, label_smoothing) if classification else _regression()
    if loss is None and metrics is None:
        return own
    return Objective(
        keras.losses.get(loss) or own.loss,
        own.metrics if metrics is None else tuple(metrics),
        "val_loss",
        "min",
        from_logits,
    )


def _classification(from_logits: bool, label_smoothing: float) -> Objective:
    loss: keras.losses.Loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    if label_smoothing:
        loss = SmoothedCrossentropy(label_smoothing, from_logits)
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    return Objective(loss, (accuracy,), "val_accuracy", "max", from_logits)


def _regression() -> Objective:
    metrics = (keras.metrics.RootMeanSquaredError(), keras.metrics.MeanAbsoluteError())
    return Objective(keras.losses.MeanSquaredError(), metrics, "val_loss", "min", False)


def gives_logits(outputs: np.ndarray, spec: Spec) -> bool:
    """Return whether a classifier's outputs are logits: probabilities are positive and sum to one.

    Args:
        outputs: (samples, classes) of a model that may be untrained.
        spec: What the data is; outputs for regression count as logits, which is to say as they are.

    Example:
        >>> spec = Spec("array", (4,), "float32", "classification", 2)
        >>> gives_logits(np.array([[0.4, 0.6]]), spec), gives_logits(np.array([[0.4, 0.7]]), spec)
        (False, True)
    """
    sums_to_one = np.allclose(outputs.sum(axis=-1), 1.0, atol=1e-3) and bool((outputs >= 0).all())
    return spec.task != "classification" or not sums_to_one

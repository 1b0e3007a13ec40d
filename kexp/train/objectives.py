"""What a step minimises and what is measured on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
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
    model: keras.Model,
    *,
    loss: keras.losses.Loss | str | None = None,
    metrics: Sequence[keras.metrics.Metric] | None = None,
    label_smoothing: float = 0.0,
) -> Objective:
    """Return the objective that fits the task: cross-entropy and accuracy, or squared error and RMSE.

    Args:
        spec: What the data is.
        model: The model, built; outputs (batch, spec.outputs).
        loss: A Keras loss in place of the task's own.
        metrics: Keras metrics in place of the task's own.
        label_smoothing: Share of a label spread over all classes, default 0; classification only.

    Raises:
        InputError: The model's outputs do not fit the data, or a metric is not a Keras metric.
    """
    _check_outputs(model, spec)
    for metric in metrics or ():
        if not isinstance(metric, keras.metrics.Metric):
            raise InputError(f"metrics must be Keras metric objects such as keras.metrics.AUC(); received {metric!r}.")
    from_logits = not _ends_in_probabilities(model)
    if spec.task == "classification":
        own = _classification(from_logits, label_smoothing)
    else:
        own = _regression()
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


def _check_outputs(model: keras.Model, spec: Spec) -> None:
    received = model.output_shape
    if received != (None, spec.outputs):
        wanted = f"{spec.outputs} classes" if spec.task == "classification" else f"{spec.outputs} targets"
        raise InputError(
            f"model must give outputs of shape (batch, {spec.outputs}) for the data's {wanted}; "
            f"received {received}, so change its last layer."
        )


def _ends_in_probabilities(model: keras.Model) -> bool:
    last = model.layers[-1]
    if isinstance(last, keras.Model):
        return _ends_in_probabilities(last)
    activation = getattr(last, "activation", None)
    return isinstance(last, keras.layers.Softmax) or activation is keras.activations.softmax

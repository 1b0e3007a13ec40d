"""Objectives of models that are trained to give the targets of the data."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from kexp.core.errors import InputError
from kexp.core.keras_private import lower_is_better
from kexp.data import Dataset, DatasetSpec, Task
from kexp.engine.base import StepContext
from kexp.metrics.iou import iou_metrics
from kexp.train.objectives.base import Losses, Objective

# The figure that the best epoch is chosen by; where there is none, the loss.
_BEST = {"classification": "val_accuracy", "segmentation": "val_mean_iou"}


@dataclass(frozen=True, eq=False)
class Supervised(Objective):
    """A loss and metrics of targets and outputs, of a model that is trained to give the targets.

    Attributes:
        task: What the targets are.
        loss: Of targets and outputs, a number for each sample.
        metrics: Keras metrics of targets and outputs.
        monitor: The figure on the validation data that the best epoch is chosen by.
        mode: Whether the best is the "max" or the "min" of it.
        from_logits: Whether outputs that stand for classes or tokens are logits rather than probabilities.
    """

    task: Task
    loss: Callable[[Any, Any], Any]
    metrics: tuple[keras.metrics.Metric, ...]
    monitor: str
    mode: str
    from_logits: bool

    def check(self, model: keras.Model, data: Dataset) -> None:
        """Accept it: `kexp.fit` has asked the model and knows what it gives."""

    def losses(self, player: str, model: keras.Model, inputs: Any, targets: Any, step: StepContext) -> Losses:
        outputs = ops.cast(model(inputs, training=step.training), "float32")
        losses = self.loss(targets, outputs)
        sample_mask = self.sample_mask(targets)
        if sample_mask is None:
            total = ops.mean(losses, axis=tuple(range(1, len(losses.shape))))
        else:
            # Each sample by itself, so that the batch that it stands in makes no difference.
            total = ops.sum(losses * sample_mask, axis=-1) / ops.maximum(ops.sum(sample_mask, axis=-1), 1.0)
        return Losses(total, penalty=sum(model.losses), outputs=outputs)

    def sample_mask(self, targets: Any) -> Any:
        """Return 1 for the tokens of texts and 0 for their padding, (batch, steps) float32; else None."""
        return ops.cast(ops.not_equal(targets, 0), "float32") if self.task == "text" else None

    def labels(self, targets: Any) -> Any:
        """Return targets as metrics take them: of labels that were mixed, the heaviest."""
        mixed = self.task == "classification" and len(targets.shape) > 1
        return ops.argmax(targets, axis=-1) if mixed else targets


@keras.saving.register_keras_serializable(package="kexp")
class Crossentropy(keras.losses.Loss):
    """Cross-entropy of class indices or of label distributions, the labels smoothed if asked for.

    Args:
        label_smoothing: Share of a label spread evenly over all classes, default 0, from 0 to 0.5
            (Szegedy et al. 2016).
        from_logits: Whether the predictions are logits, default True.

    Example:
        >>> logits = np.array([[2.0, 0.0]], "float32")
        >>> hard, soft = Crossentropy()(np.array([0]), logits), Crossentropy()(np.array([[1.0, 0.0]]), logits)
        >>> bool(hard == soft), round(float(hard), 4)
        (True, 0.1269)
    """

    def __init__(self, label_smoothing: float = 0.0, from_logits: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Any) -> Any:
        indices = len(y_true.shape) < len(y_pred.shape)
        if indices and not self.label_smoothing:
            return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=self.from_logits)
        labels = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1]) if indices else y_true
        return keras.losses.categorical_crossentropy(
            labels, y_pred, from_logits=self.from_logits, label_smoothing=self.label_smoothing
        )

    def get_config(self) -> dict[str, Any]:
        own = {"label_smoothing": self.label_smoothing, "from_logits": self.from_logits}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="kexp")
class Perplexity(keras.metrics.Mean):
    """The exponential of the mean cross-entropy of tokens, in nats: a uniform choice among so many.

    Jelinek et al. 1977, "Perplexity: a measure of the difficulty of speech recognition tasks".

    Args:
        from_logits: Whether the predictions are logits, default True.

    Example:
        >>> perplexity = Perplexity()
        >>> perplexity.update_state(np.array([[1, 3]]), np.zeros((1, 2, 4), "float32"))
        >>> round(float(perplexity.result()), 4)
        4.0
    """

    def __init__(self, from_logits: bool = True, name: str = "perplexity", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.from_logits = from_logits
        lower_is_better(self)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=self.from_logits)
        return super().update_state(losses, sample_weight=sample_weight)

    def result(self) -> Any:
        return ops.exp(super().result())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_logits": self.from_logits}


def supervised(
    spec: DatasetSpec,
    *,
    from_logits: bool = True,
    loss: keras.losses.Loss | str | None = None,
    metrics: Sequence[keras.metrics.Metric] | None = None,
    label_smoothing: float = 0.0,
) -> Supervised:
    """Return the objective that fits the task: cross-entropy and accuracy, or squared error and RMSE.

    Masks have the intersection over union of each class and its mean besides; texts the perplexity.

    Args:
        spec: What the data is.
        from_logits: Whether a choice among classes or tokens is given by logits (default) or probabilities.
        loss: A Keras loss in place of the task's own.
        metrics: Keras metrics in place of the task's own.
        label_smoothing: Share of a label spread over all classes, default 0; not for regression.

    Raises:
        InputError: A metric is not a Keras metric.
    """
    for metric in metrics or ():
        if not isinstance(metric, keras.metrics.Metric):
            raise InputError(
                f"metrics must be Keras metric objects such as keras.metrics.AUC(); received {metric!r}."
            )
    choice = spec.task != "regression"
    own_loss = Crossentropy(label_smoothing, from_logits) if choice else keras.losses.MeanSquaredError()
    best = _BEST.get(spec.task) if loss is None and metrics is None else None
    return Supervised(
        loss=_per_sample(keras.losses.get(loss) or own_loss),
        metrics=_own_metrics(spec, from_logits) if metrics is None else tuple(metrics),
        monitor=best or "val_loss",
        mode="max" if best else "min",
        from_logits=choice and from_logits,
        task=spec.task,
    )


def _own_metrics(spec: DatasetSpec, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
    if spec.task == "regression":
        return keras.metrics.RootMeanSquaredError(), keras.metrics.MeanAbsoluteError()
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    if spec.task == "segmentation":
        return accuracy, *iou_metrics(spec.class_names)
    return (accuracy, Perplexity(from_logits)) if spec.task == "text" else (accuracy,)


def _per_sample(loss: Any) -> Callable[[Any, Any], Any]:
    """Return a loss without its reduction: the engine takes the mean over all batches of a step."""
    if not isinstance(loss, keras.losses.Loss):  # one of Keras's functions has none
        return loss
    if loss.reduction not in ("sum_over_batch_size", "mean", "mean_with_sample_weight", None):
        raise InputError(
            f"loss must be a mean over the batch (reduction 'sum_over_batch_size'); {loss.name} has "
            f"reduction {loss.reduction!r}, so leave its reduction out."
        )
    loss = copy.copy(loss)
    loss.reduction = None
    return loss


def gives_logits(outputs: np.ndarray, spec: DatasetSpec) -> bool:
    """Return whether outputs are logits: probabilities are positive and sum to one.

    Args:
        outputs: (samples, ..., classes) of a model that may be untrained.
        spec: What the data is; outputs for regression count as logits, which is to say as they are.

    Example:
        >>> spec = DatasetSpec("array", (4,), "float32", "classification", 2)
        >>> gives_logits(np.array([[0.4, 0.6]]), spec), gives_logits(np.array([[0.4, 0.7]]), spec)
        (False, True)
    """
    sums_to_one = np.allclose(outputs.sum(axis=-1), 1.0, atol=1e-3) and bool((outputs >= 0).all())
    return spec.task == "regression" or not sums_to_one

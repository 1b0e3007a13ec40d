"""Objectives of models that are trained to give the targets of the data."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data import Dataset, DatasetSpec, Split
from kexp.engine.base import StepContext
from kexp.metrics.direction import Direction, known_direction, stated_directions
from kexp.tasks import task_named
from kexp.train.objectives.base import Losses, Objective
from kexp.train.objectives.metric_choice import MetricLike, as_metrics, result_counts


@dataclass(frozen=True, eq=False)
class Supervised(Objective):
    """A loss and metrics of targets and outputs, of a model that is trained to give the targets.

    Attributes:
        task: What the targets are.
        spec: What the data is.
        loss: Of targets and outputs, a number for each sample.
        metrics: Keras metrics of targets and outputs.
        monitor: The metric on the validation data that the best epoch is chosen by.
        mode: Whether the best is the "max" or the "min" of it.
        from_logits: Whether outputs that stand for classes or tokens are logits rather than probabilities.
    """

    task: str
    spec: DatasetSpec
    loss: Callable[[Any, Any], Any]
    metrics: tuple[keras.metrics.Metric, ...]
    monitor: str
    mode: str
    from_logits: bool

    def check(self, model: keras.Model, data: Dataset) -> None:
        """Accept it: `kexp.fit` has called the model and knows what it gives."""

    def losses(
        self, player: str, model: keras.Model, inputs: Tensor, targets: Tensor, step: StepContext
    ) -> Losses:
        """Return the loss of the model's outputs against the targets."""
        outputs = ops.cast(model(inputs, training=step.training), "float32")
        losses = self.compared(targets, outputs)
        sample_mask = self.sample_mask(targets)
        if sample_mask is None:
            total = ops.mean(losses, axis=tuple(range(1, len(losses.shape))))
        else:
            # Each sample by itself, so that the batch that it stands in makes no difference.
            total = ops.sum(losses * sample_mask, axis=-1) / ops.maximum(ops.sum(sample_mask, axis=-1), 1.0)
        return Losses(total, penalty=sum(model.losses), outputs=outputs)

    def compared(self, targets: Tensor, outputs: Tensor) -> Any:
        """Return (batch, ...) losses of outputs against targets."""
        return self.loss(task_named(self.task).loss_targets(targets, outputs), outputs)

    def metric_inputs(
        self, metric: keras.metrics.Metric, targets: Tensor, outputs: Tensor
    ) -> tuple[Any, Any]:
        """Return targets and outputs as one of Keras's own metrics takes them."""
        inputs = task_named(self.task).metric_inputs
        return inputs(metric, targets, outputs, from_logits=self.from_logits)

    def result_names(self, metric: keras.metrics.Metric, count: int) -> list[str | None]:
        return task_named(self.task).result_names(metric, count, self.spec)

    def metric_directions(self) -> dict[str, Direction | None]:
        """Return the names of loss and metrics, of which some have a value for each class."""
        found: dict[str, Direction | None] = {"loss": "min"}
        stated = stated_directions(self.metrics)
        for metric in self.metrics:
            count = result_counts(metric, self.spec.outputs)
            names = [metric.name] if count is None else self.result_names(metric, count)
            for name in names:
                if name is not None:
                    found[name] = stated.get(metric.name) or known_direction(name)
        return found

    def sample_mask(self, targets: Tensor) -> Any:
        """Return 1 for the tokens of texts and 0 for their padding, (batch, steps) float32; else None."""
        return task_named(self.task).sample_mask(targets)

    def metric_targets(self, targets: Tensor) -> Any:
        """Return targets as metrics take them: of labels that were mixed, the heaviest."""
        return task_named(self.task).metric_targets(targets)

    def least_loss(self, batch: Split, spec: DatasetSpec, label_smoothing: float) -> float:
        return task_named(self.task).least_loss(self.loss, spec, label_smoothing)


def supervised(
    spec: DatasetSpec,
    *,
    from_logits: bool = True,
    loss: keras.losses.Loss | str | None = None,
    metrics: Sequence[MetricLike] | None = None,
    label_smoothing: float = 0.0,
) -> Supervised:
    """Return the objective that fits the task: cross-entropy and accuracy, or squared error and RMSE.

    Masks have the intersection over union of each class and its mean besides; texts the perplexity.

    Args:
        spec: What the data is.
        from_logits: Whether a choice among classes or tokens is given by logits (default) or probabilities.
        loss: A Keras loss in place of the task's own.
        metrics: Keras metrics in place of the task's own; objects, names or functions.
        label_smoothing: Share of a label spread over all classes, default 0; not for regression.

    Raises:
        InputError: A metric is not a Keras metric, or two have one name.
    """
    task = task_named(spec.task)
    own_loss = task.loss_of(spec, from_logits=from_logits, label_smoothing=label_smoothing)
    own = loss is None and metrics is None
    return Supervised(
        loss=per_sample(keras.losses.get(loss) or own_loss),
        metrics=task.metrics(spec, from_logits=from_logits) if metrics is None else as_metrics(metrics, task),
        monitor=task.monitor if own else "val_loss",
        mode=task.mode if own else "min",
        from_logits=task.has_logits and from_logits,
        task=spec.task,
        spec=spec,
    )


def per_sample(loss: Any) -> Callable[[Any, Any], Any]:
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

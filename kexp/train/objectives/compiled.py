"""The objective of a compiled model: what it was compiled with, or the steps that it has itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from kexp.core.structures import Structure, leaves, packed
from kexp.core.trainer_private import call_model, compiled_losses, compute_loss, overrides
from kexp.core.types import Nest, Tensor
from kexp.data import Dataset
from kexp.engine.base import StepContext
from kexp.metrics.direction import Direction, known_direction, stated_directions
from kexp.train.objectives.base import Losses, Objective


@dataclass(frozen=True)
class ForwardPass:
    """A batch as a model takes it, and what it gives for it.

    Attributes:
        x: Inputs.
        y: Targets; None where there are none.
        outputs: What the model gives.
        sample_weight: Weights of the samples; None: all alike.
    """

    x: Nest
    y: Nest
    outputs: Nest
    sample_weight: Nest


@dataclass(frozen=True, eq=False)
class Compiled(Objective):
    """The loss and the metrics that a model was compiled with.

    Attributes:
        model: The compiled model.
        inputs: The nest in which it takes its inputs, with their names.
        targets: That of its targets; None where there are none.
        task: What it answers.
        monitor: The metric that the best epoch is chosen by.
        mode: Whether the best is the "max" or the "min" of it.
        from_logits: Whether outputs that stand for classes are logits.
        detects_loss_spikes: Whether the loss of each step is known.
    """

    model: keras.Model
    inputs: Structure
    targets: Structure
    task: str
    monitor: str = "val_loss"
    mode: str = "min"
    from_logits: bool = True
    takes_weights: bool = True

    @property
    def detects_loss_spikes(self) -> bool:  # type: ignore[override]
        """Whether the loss of each step is known, which a step of the model's own does not tell."""
        return not self.has_own_train_step

    @property
    def runs_eagerly(self) -> bool:  # type: ignore[override]
        """Whether the model was compiled to be run operation by operation."""
        return bool(self.model.run_eagerly)

    @property
    def uses_xla(self) -> bool:  # type: ignore[override]
        """Whether the model was compiled for XLA."""
        return bool(self.model.jit_compile)

    @property
    def has_own_train_step(self) -> bool:
        """Whether the model has a `train_step` of its own."""
        return overrides(self.model, "train_step")

    @property
    def has_own_test_step(self) -> bool:
        """Whether the model has a `test_step` of its own."""
        return overrides(self.model, "test_step")

    @property
    def names_metrics(self) -> bool:
        """Whether the model's steps are Keras's, so that the names of all metrics are known beforehand."""
        steps = ("train_step", "test_step", "compute_metrics")
        return not any(overrides(self.model, step) for step in steps)

    def metric_directions(self) -> dict[str, Direction | None]:
        """Return the names of what the model was compiled with, once it is built, with their directions."""
        found: dict[str, Direction | None] = {"loss": "min"}
        if not self.names_metrics:
            return found
        each = [one for metric in self.model.metrics for one in getattr(metric, "metrics", [metric])]
        stated = stated_directions(each)
        for name, result in self.model.get_metrics_result().items():
            values = np.size(result)
            names = [name] if values == 1 else [f"{name}_{place}" for place in range(values)]
            found |= {one: stated.get(name) or known_direction(one) for one in names}
        return found

    def check(self, model: keras.Model, data: Dataset) -> None:
        """Accept it: `kexp.fit` has called the model and knows what it gives."""

    def batch(self, inputs: Nest, targets: Nest, weights: Nest) -> tuple[Any, ...]:
        """Return a batch as a `train_step` takes it: (x,), (x, y) or (x, y, sample_weight)."""
        x = packed(self.inputs, inputs)
        if self.targets is None:
            return (x,) if weights is None else (x, None, weights)
        y = packed(self.targets, targets)
        return (x, y) if weights is None else (x, y, self._weights(weights))

    def losses(
        self, player: str, model: keras.Model, inputs: Tensor, targets: Tensor, step: StepContext
    ) -> Losses:
        """Return the loss of a batch, a mean over its samples, as the model computes it."""
        x, y, weights = (*self.batch(inputs, targets, step.sample_weight), None, None)[:3]
        outputs = call_model(model, x, training=step.training)
        loss = compute_loss(model, x, y, outputs, weights, training=step.training)
        samples = ops.shape(leaves(x)[0])[0]
        # Not the losses of single samples, which only the model's own reduction would know.
        return Losses(ops.zeros((samples,)), penalty=loss, outputs=ForwardPass(x, y, outputs, weights))

    def _weights(self, weights: Nest) -> Any:
        return packed(self.targets, weights) if isinstance(weights, dict) else weights

    def sums_up(self) -> list[str]:
        """Return the names of losses that are no mean over the batch, which batches cannot share."""
        return [
            loss.name
            for loss in compiled_losses(self.model)
            if getattr(loss, "reduction", "sum_over_batch_size") not in ("sum_over_batch_size", "mean")
        ]

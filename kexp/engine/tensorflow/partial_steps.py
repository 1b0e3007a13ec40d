"""The beginning of a step of gradients, up to one of its parts, by which it is known what each takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from kexp.engine.tensorflow.gradient_steps import GradientSteps
from kexp.engine.tensorflow.input_pipeline import Batches, count_of
from kexp.train.objectives import Losses


class PartialSteps(GradientSteps):
    """Steps of gradients that end after a part.

    Args:
        steps: Whole steps.
        part: "nothing"; "input": the batch and its augmentation; "forward": up to the loss; "backward": up
            to the gradients, their sum over replicas and their norm; "update": all but the metrics.
        batch_source: Gives the samples in the place of the source of the whole steps; None: that one.
    """

    def __init__(self, steps: GradientSteps, part: str, batch_source: Batches | None = None) -> None:
        vars(self).update(vars(steps))
        self._part = part
        self._batch_source = batch_source or self._batch_source
        self._metrics: Any = _NoMetrics()

    def take(self, row: tf.Tensor, batch_size: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Take the beginning of a step, and return a number that needs all of it, and a norm."""
        if self._part == "nothing":
            self._taken.assign_add(1)
            return tf.zeros(()), tf.zeros(())
        return super().take(row, batch_size)

    def _trained(self, number: int) -> list[Any]:
        return super()._trained(number) if self._part in ("backward", "update") else []

    def _gradients(
        self, number: int, rows: tf.Tensor, samples: Any, first: Any
    ) -> tuple[list[Any], tf.Tensor, Any]:
        if self._part != "input":
            return super()._gradients(number, rows, samples, first)
        batch = self._batch_source(rows)
        count = count_of(batch[0]) if samples is None else samples
        inputs, targets, weights = batch
        if self._augmentation is not None and not self._replicas.distributed:
            inputs, targets = self._augmentation(inputs, targets)
        return [], _needing((inputs, targets, weights)), count

    def _apply(self, number: int, gradients: list[Any]) -> tf.Tensor:
        if self._part == "update":
            return super()._apply(number, gradients)
        return tf.linalg.global_norm(gradients) if gradients else tf.zeros(())


def _needing(batch: Any) -> tf.Tensor:
    """Return a number for which a batch has to be made: TensorFlow leaves out what nothing is made of."""
    tensors = tf.nest.flatten(batch, expand_composites=True)
    numbers = [tensor for tensor in tensors if tensor is not None and tensor.dtype != tf.string]
    with tf.control_dependencies([tensor for tensor in tensors if tensor is not None]):
        firsts = [tf.cast(tf.reshape(tensor, [-1])[:1], tf.float32) for tensor in numbers]
        return tf.add_n([tf.zeros(()), *map(tf.reduce_sum, firsts)])


class _NoMetrics:
    """Running metrics that take account of nothing."""

    def update_loss(self, loss: tf.Tensor, samples: tf.Tensor) -> None:
        return

    def update(self, losses: Losses, targets: tf.Tensor) -> None:
        return

    def changes(self, losses: Losses, targets: tf.Tensor, weight: Any) -> list[tf.Tensor]:
        return []

    def add(self, changes: Sequence[tf.Tensor]) -> None:
        return

"""The running loss, its components and metrics of an objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kexp.engine.tensorflow.forward_pass import forward_pass
from kexp.train.objectives.base import Losses, Objective


class MetricAccumulator:
    """The running loss, its components and metrics of an objective, weighted by the samples of each batch.

    Replicas cannot update one metric. Each works out what its samples would change, which for a metric that
    counts and sums is a sum over replicas, and these sums are kept here in place of the metrics' variables.

    Args:
        objective: What is measured.
        model: That is measured, and
        sample: Inputs and targets of one sample, so that metrics make their variables.
        summed: Whether replicas are going to share the samples.
    """

    def __init__(
        self, objective: Objective, model: Any = None, sample: Any = None, *, summed: bool = False
    ) -> None:
        self._objective = objective
        self._metrics = objective.metrics
        self._loss = keras.metrics.Mean(name="loss")
        self._components = {name: keras.metrics.Mean(name=name) for name in objective.components}
        self._all = (self._loss, *self._components.values(), *self._metrics)
        if sample is not None and not all(metric.variables for metric in self._metrics):
            self._create_variables(model, *sample)
        own = [variable for metric in self._all for variable in metric.variables]
        self._sums = [tf.Variable(tf.zeros(v.shape, v.dtype)) for v in own] if summed else []
        self.variables: list[Any] = self._sums or own

    def _create_variables(self, model: keras.Model, inputs: Any, targets: tf.Tensor) -> None:
        """Make the variables that some Keras metrics make only at the first update."""
        self.update_metrics(targets, forward_pass(model, inputs))
        for metric in self._metrics:
            metric.reset_state()

    def update_loss(self, loss: tf.Tensor, samples: tf.Tensor) -> None:
        if not self._sums:
            self._loss.update_state(loss, sample_weight=samples)
            return
        for total, change in zip(self._sums, _change(self._loss, loss, sample_weight=samples), strict=False):
            total.assign_add(change)

    def update(self, losses: Losses, targets: tf.Tensor) -> None:
        """Take account of the components and outputs of a batch."""
        for name, values in losses.components.items():
            self._components[name].update_state(values)
        self.update_metrics(targets, losses.outputs)

    def update_metrics(self, targets: tf.Tensor, outputs: tf.Tensor | None) -> None:
        if outputs is not None:
            targets, outputs, weights = self._masked(targets, outputs)
            for metric in self._metrics:
                metric.update_state(*self._objective.metric_inputs(metric, targets, outputs), **weights)

    def changes(self, losses: Losses, targets: tf.Tensor, weight: Any) -> list[tf.Tensor]:
        """Return what a replica's samples, each of so much weight, change in all but the loss."""
        changes = []
        for name, metric in self._components.items():
            changes += (
                _change(metric, losses.components[name]) if name in losses.components else _nothing(metric)
            )
        if losses.outputs is None:
            changes += [zero for metric in self._metrics for zero in _nothing(metric)]
        else:
            targets, outputs, weights = self._masked(targets, losses.outputs)
            for metric in self._metrics:
                inputs = self._objective.metric_inputs(metric, targets, outputs)
                changes += _change(metric, *inputs, **weights)
        return [tf.cast(change, tf.float32) * weight for change in changes]

    def add(self, changes: Sequence[tf.Tensor]) -> None:
        """Take account of `changes`, summed over all replicas."""
        for total, change in zip(self._sums[len(self._loss.variables) :], changes, strict=True):
            total.assign_add(tf.cast(change, total.dtype))

    def read(self) -> dict[str, float]:
        # The shortest decimal of a float32: 0.9777, where float() alone would give 0.9776999950408936.
        each = (one for metric, result in self._results() for one in self._values(metric, result))
        return {name: float(str(np.float32(value))) for name, value in each}

    def reset(self) -> None:
        for metric in self._all:
            metric.reset_state()
        for total in self._sums:
            total.assign(tf.zeros_like(total))

    def _results(self) -> list[tuple[keras.metrics.Metric, Any]]:
        if not self._sums:
            return [(metric, metric.result()) for metric in self._all]
        values, results = iter(self._sums), []
        for metric in self._all:
            own = [tf.convert_to_tensor(next(values)) for _ in metric.variables]
            results.append((metric, metric.stateless_result(own)))
        return results

    def _values(self, metric: keras.metrics.Metric, result: Any) -> list[tuple[str, Any]]:
        """Return what a metric gives by name: one number as a rule, of some a number for each class."""
        if isinstance(result, Mapping):
            return list(result.items())
        if not len(result.shape):
            return [(metric.name, result)]
        values = np.ravel(result)
        names = self._objective.result_names(metric, len(values))
        return [(one, value) for one, value in zip(names, values, strict=True) if one is not None]

    def _masked(self, targets: Any, outputs: Any) -> tuple[Any, Any, dict[str, Any]]:
        """Return targets and outputs as metrics take them, and by name their weights, if there are any."""
        sample_mask = self._objective.sample_mask(targets)
        if sample_mask is None:
            return targets, outputs, {}  # not every Keras metric takes weights
        # Token by token: of (batch, steps) Keras takes the mean over steps first, so that a token would count
        # for more in a batch that is short.
        flat = tf.reshape(targets, [-1]), tf.reshape(outputs, [-1, outputs.shape[-1]])
        return *flat, {"sample_weight": tf.reshape(sample_mask, [-1])}


def measure_outputs(objective: Objective, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
    """Return the metrics of an objective for outputs that are at hand, (samples, ...)."""
    accumulator = MetricAccumulator(objective)
    accumulator.reset()
    accumulator.update_metrics(tf.constant(targets), tf.constant(outputs))
    metrics = accumulator.read()
    accumulator.reset()
    return {name: value for name, value in metrics.items() if name != "loss"}


def _change(metric: keras.metrics.Metric, *values: Any, **weights: Any) -> list[tf.Tensor]:
    """Return what an update changes in each variable of a metric."""
    updated = metric.stateless_update_state(_nothing(metric), *values, **weights)
    return [tf.convert_to_tensor(value) for value in updated]


def _nothing(metric: keras.metrics.Metric) -> list[tf.Tensor]:
    return [tf.zeros(variable.shape, variable.dtype) for variable in metric.variables]

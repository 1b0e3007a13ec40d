"""The running loss and metrics of a compiled model, which it keeps itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kexp.core.trainer_private import loss_tracker
from kexp.core.types import Nest
from kexp.train.objectives.base import Losses
from kexp.train.objectives.compiled import Compiled


class CompiledMetrics:
    """The metrics that a model was compiled with, updated as Keras's own steps update them.

    Replicas update their own copies of them, which Keras adds up when they are read. The loss is that of the
    whole batch, which no replica knows, and is kept here.

    Args:
        objective: Of the compiled model.
        shared: Whether replicas are going to share the samples.
    """

    def __init__(self, objective: Compiled, *, shared: bool = False) -> None:
        self._model = objective.model
        self._shared = shared
        self._sums = [tf.Variable(0.0), tf.Variable(0.0)] if shared else []

    @property
    def variables(self) -> list[Any]:
        """Every variable that an update writes."""
        return [*self._sums, *metric_variables(self._model)]

    def update_loss(self, loss: tf.Tensor, samples: tf.Tensor) -> None:
        """Take account of the mean loss of so many samples."""
        if not self._shared:
            loss_tracker(self._model).update_state(loss, sample_weight=samples)
            return
        count = tf.cast(samples, tf.float32)
        self._sums[0].assign_add(loss * count)
        self._sums[1].assign_add(count)

    def update(self, losses: Losses, targets: Nest) -> None:
        """Take account of the outputs of a batch."""
        passed = losses.outputs
        assert passed is not None
        self._model.compute_metrics(passed.x, passed.y, passed.outputs, sample_weight=passed.sample_weight)

    def changes(self, losses: Losses, targets: Nest, weight: Any) -> list[tf.Tensor]:
        """Update this replica's copies, so that nothing is left to be added up."""
        self.update(losses, targets)
        return []

    def add(self, changes: Sequence[tf.Tensor]) -> None:
        """Take account of nothing more."""

    def read(self) -> dict[str, float]:
        """Return loss and metrics since the last reset."""
        results = dict(self._model.get_metrics_result())
        if self._shared:
            results["loss"] = self._sums[0] / tf.maximum(self._sums[1], 1.0)
        return plain_results(results)

    def reset(self) -> None:
        """Start anew."""
        self._model.reset_metrics()
        for total in self._sums:
            total.assign(0.0)


def metric_variables(model: Any) -> list[Any]:
    """Return the variables of all metrics of a model, its own and those that it was compiled with."""
    found = {id(variable): variable for metric in model.metrics for variable in metric.variables}
    return list(found.values())


def plain_results(results: Mapping[str, Any]) -> dict[str, float]:
    """Return results of Keras metrics as numbers by name: several of one metric under its name and a number.

    Example:
        >>> plain_results({"loss": tf.constant(0.5), "f1": np.array([0.25, 1.0]), "auc": np.array([0.75])})
        {'loss': 0.5, 'f1_0': 0.25, 'f1_1': 1.0, 'auc': 0.75}
    """
    plain: dict[str, float] = {}
    for name, result in results.items():
        if isinstance(result, Mapping):
            plain.update(plain_results({f"{name}_{key}": value for key, value in result.items()}))
            continue
        values = np.asarray(result, np.float32)
        # The shortest decimal of a float32: 0.9777, where float() alone would give 0.9776999950408936.
        if values.size == 1:
            plain[name] = float(str(values.ravel()[0]))
        else:
            plain.update({f"{name}_{place}": float(str(value)) for place, value in enumerate(values.ravel())})
    return plain

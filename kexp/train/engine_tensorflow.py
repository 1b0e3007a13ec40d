"""The TensorFlow engine: the only place where a gradient is taken."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kexp.data import Split
from kexp.data.pipeline import batches
from kexp.train.objectives import Objective


class TensorFlowEngine:
    """Runs steps of a compiled Keras model on data that stays on the device.

    Batches are gathered there by index, many steps to a call: what the training order decides is the
    index matrix alone, so any step can be reached at once and the host does nothing in between.

    Args:
        model: A built model with its optimizer, whose slots are built.
        objective: What a step minimises and what is measured.
        train: The training data.
        validation: The validation data, if any.
    """

    def __init__(
        self, model: keras.Model, objective: Objective, train: Split, validation: Split | None
    ) -> None:
        self.model = model
        self.objective = objective
        self._measures = Measures(objective)
        arrays = _on_device(train)
        self._measures.create_variables(model, arrays)
        self._train_steps = _compiled(self._train_step, arrays)
        self._validation = None if validation is None else Evaluation(model, objective, validation)

    def run(self, indices: np.ndarray) -> None:
        """Take one step for each row of `indices`, (steps, batch) positions in the training data."""
        self._train_steps(indices)

    def measured(self) -> dict[str, float]:
        """Return loss and metrics over what was run since the last reset."""
        return self._measures.read()

    def reset_metrics(self) -> None:
        """Start the running means anew."""
        self._measures.reset()

    def validate(self, batch_size: int) -> dict[str, float]:
        """Return loss and metrics on the validation data; empty without such data."""
        return {} if self._validation is None else self._validation.measure(batch_size)

    def read_state(self) -> dict[str, np.ndarray]:
        """Return every variable that a step reads or writes, by a stable name."""
        # A copy: the array that TensorFlow hands out may be the variable's own memory.
        return {name: np.copy(variable.numpy()) for name, variable in self._variables().items()}

    def restore_state(self, state: dict[str, np.ndarray]) -> None:
        """Set every variable to what `read_state` returned."""
        for name, variable in self._variables().items():
            saved = state[name]
            # NumPy's file format knows bfloat16 only as two raw bytes.
            variable.assign(saved.view(variable.numpy().dtype) if saved.dtype.kind == "V" else saved)

    def _variables(self) -> dict[str, Any]:
        groups = {
            "model": self.model.variables,
            "optimizer": self.model.optimizer.variables,
            "metrics": self._measures.variables,
        }
        return {
            f"{group}/{number}": variable
            for group, variables in groups.items()
            for number, variable in enumerate(variables)
        }

    def _train_step(self, inputs: Any, targets: tf.Tensor) -> None:
        weights, optimizer = self.model.trainable_weights, self.model.optimizer
        with tf.GradientTape() as tape:
            loss, outputs = self.objective.compute(self.model, inputs, targets, training=True)
            scaled = optimizer.scale_loss(loss)
        optimizer.apply(tape.gradient(scaled, weights), weights)
        self._measures.update(targets, outputs, loss)


class Evaluation:
    """Measures a model on one part of a data set, which stays on the device."""

    def __init__(self, model: keras.Model, objective: Objective, split: Split) -> None:
        self._model = model
        self._objective = objective
        self._measures = Measures(objective)
        self._samples = len(split)
        self._steps = _compiled(self._step, _on_device(split))

    def measure(self, batch_size: int) -> dict[str, float]:
        """Return loss and metrics, without touching a weight."""
        self._measures.reset()
        full, tail = batches(np.arange(self._samples, dtype=np.int32), batch_size)
        for rows in (full, tail[None]):
            if rows.size:
                self._steps(rows)
        figures = self._measures.read()
        self._measures.reset()
        return figures

    def _step(self, inputs: Any, targets: tf.Tensor) -> None:
        loss, outputs = self._objective.compute(self._model, inputs, targets, training=False)
        self._measures.update(targets, outputs, loss)


class Measures:
    """The running loss and metrics of an objective, weighted by the samples of each batch."""

    def __init__(self, objective: Objective) -> None:
        self._metrics = objective.metrics
        self._loss = keras.metrics.Mean(name="loss")

    @property
    def variables(self) -> list[Any]:
        return [variable for metric in (self._loss, *self._metrics) for variable in metric.variables]

    def create_variables(self, model: keras.Model, arrays: tuple[Any, tf.Tensor]) -> None:
        """Make the variables that some Keras metrics make only at the first update."""
        inputs, targets = tf.nest.map_structure(lambda array: array[:1], arrays)
        outputs = model(inputs, training=False)
        for metric in self._metrics:
            metric.update_state(targets, outputs)
            metric.reset_state()

    def update(self, targets: tf.Tensor, outputs: tf.Tensor, loss: tf.Tensor) -> None:
        self._loss.update_state(loss, sample_weight=tf.shape(targets)[0])
        for metric in self._metrics:
            metric.update_state(targets, outputs)

    def read(self) -> dict[str, float]:
        # The shortest decimal of a float32: 0.9777, where float() alone would give 0.9776999950408936.
        return {
            metric.name: float(str(np.float32(metric.result()))) for metric in (self._loss, *self._metrics)
        }

    def reset(self) -> None:
        for metric in (self._loss, *self._metrics):
            metric.reset_state()


def _on_device(split: Split) -> tuple[Any, tf.Tensor]:
    if isinstance(split.inputs, np.ndarray):
        return tf.constant(split.inputs), tf.constant(split.targets)
    return {name: tf.constant(column) for name, column in split.inputs.items()}, tf.constant(split.targets)


def _compiled(step: Any, arrays: tuple[Any, tf.Tensor]) -> Any:
    """Return a function of (steps, batch) indices that calls `step` on each row's samples.

    The batch axis stays open, so that the uneven last batch needs no trace of its own, which would
    cost more time than a short run takes.
    """

    # Without autograph, as in Keras's own loop: TensorFlow 2.20 has none for Python 3.13.
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)], autograph=False)
    def run(indices: tf.Tensor) -> None:
        def take_step(number: tf.Tensor) -> tuple[tf.Tensor]:
            step(*tf.nest.map_structure(partial(tf.gather, indices=indices[number]), arrays))
            return (number + 1,)

        tf.while_loop(lambda number: number < tf.shape(indices)[0], take_step, (0,), parallel_iterations=1)

    return run

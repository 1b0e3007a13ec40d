"""Measuring a model on one part of a data set."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kexp.data import Split
from kexp.data.pipeline import batches
from kexp.train.buckets import Buckets
from kexp.train.feed import on_device
from kexp.train.objectives.base import Measured, Objective
from kexp.train.step import Step

# The random numbers of a measurement are the same for all runs and epochs.
_SEED = 0


class Held:
    """Measures a model on a part of the data that it is not trained on: its losses, and samples it makes.

    Args:
        model: What is measured.
        objective: What it is trained for.
        split: The part.
        train: The training part, if the model is finished and its samples are to be measured thoroughly.
    """

    def __init__(
        self, model: keras.Model, objective: Objective, split: Split, train: Split | None = None
    ) -> None:
        samples = objective.samples(model, split, train)
        losses = None if objective.held_out is None else Evaluation(model, objective, split)
        self._parts: list[Measured] = [part for part in (losses, samples) if part is not None]

    def measure(self, batch_size: int) -> dict[str, float]:
        """Return loss, metrics and figures of samples, without touching a weight."""
        figures: dict[str, float] = {}
        for part in self._parts:
            figures.update(part.measure(batch_size))
        return figures


class Evaluation:
    """Measures the losses of a model on one part of a data set, which stays on the device."""

    def __init__(self, model: keras.Model, objective: Objective, split: Split) -> None:
        self._model = model
        self._objective = objective
        self._measures = Measures(objective)
        buckets = Buckets.of(model, split, objective.task)
        self._cut = None if buckets is None else buckets.cutter()
        by_length = np.arange(len(split)) if buckets is None else np.argsort(buckets.sizes, kind="stable")
        self._order = by_length.astype(np.int32)
        self._steps = self._compiled_steps(on_device(split))

    def measure(self, batch_size: int) -> dict[str, float]:
        """Return loss and metrics, without touching a weight."""
        self._measures.reset()
        full, tail = batches(self._order, batch_size)
        for rows in (full, tail[None]):
            if rows.size:
                self._steps(tf.constant(rows))
        figures = self._measures.read()
        self._measures.reset()
        return figures

    def _compiled_steps(self, arrays: tuple[Any, tf.Tensor]) -> Any:
        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)], autograph=False)
        def run(rows: tf.Tensor) -> None:
            def take_step(number: tf.Tensor) -> tuple[tf.Tensor]:
                taken = rows[number]
                inputs, targets = tf.nest.map_structure(partial(tf.gather, indices=taken), arrays)
                if self._cut is not None:
                    inputs, targets = self._cut(inputs, targets, taken)
                self._step(inputs, targets, Step(False, _SEED, taken[0]))
                return (number + 1,)

            tf.while_loop(lambda number: number < tf.shape(rows)[0], take_step, (0,), parallel_iterations=1)

        return run.get_concrete_function()  # a trace that TensorFlow does not count as one too many

    def _step(self, inputs: Any, targets: tf.Tensor, step: Step) -> None:
        assert self._objective.held_out is not None
        losses = self._objective.losses(self._objective.held_out, self._model, inputs, targets, step)
        loss = tf.reduce_mean(losses.total) + tf.cast(losses.penalty, tf.float32)
        self._measures.update_loss(loss, tf.shape(targets)[0])
        self._measures.update_terms(losses.terms)
        self._measures.update_metrics(targets, losses.outputs)


def measured_by(objective: Objective, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
    """Return the metrics of an objective for outputs that are at hand, (samples, ...)."""
    measures = Measures(objective)
    measures.reset()
    measures.update_metrics(tf.constant(targets), tf.constant(outputs))
    figures = measures.read()
    measures.reset()
    return {name: value for name, value in figures.items() if name != "loss"}


class Measures:
    """The running loss, terms and metrics of an objective, weighted by the samples of each batch."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._metrics = objective.metrics
        self._loss = keras.metrics.Mean(name="loss")
        self._terms = {name: keras.metrics.Mean(name=name) for name in objective.terms}
        self._all = (self._loss, *self._terms.values(), *self._metrics)

    @property
    def variables(self) -> list[Any]:
        return [variable for metric in self._all for variable in metric.variables]

    def create_variables(self, model: keras.Model, sample: tuple[Any, tf.Tensor]) -> None:
        """Make the variables that some Keras metrics make only at the first update."""
        if not self._metrics:
            return
        inputs, targets = sample
        self.update_metrics(targets, model(inputs, training=False))
        for metric in self._metrics:
            metric.reset_state()

    def update_loss(self, loss: tf.Tensor, samples: tf.Tensor) -> None:
        self._loss.update_state(loss, sample_weight=samples)

    def update_terms(self, terms: dict[str, tf.Tensor]) -> None:
        for name, values in terms.items():
            self._terms[name].update_state(values)

    def update_metrics(self, targets: tf.Tensor, outputs: tf.Tensor | None) -> None:
        if outputs is None:
            return
        counted = self._objective.counted(targets)
        options = {}  # not every Keras metric takes weights
        if counted is not None:
            # Token by token: of (batch, steps) Keras takes the mean over steps first, so that a token would
            # count for more in a batch that is short.
            options = {"sample_weight": tf.reshape(counted, [-1])}
            targets, outputs = tf.reshape(targets, [-1]), tf.reshape(outputs, [-1, outputs.shape[-1]])
        for metric in self._metrics:
            metric.update_state(targets, outputs, **options)

    def read(self) -> dict[str, float]:
        # The shortest decimal of a float32: 0.9777, where float() alone would give 0.9776999950408936.
        return {metric.name: float(str(np.float32(metric.result()))) for metric in self._all}

    def reset(self) -> None:
        for metric in self._all:
            metric.reset_state()

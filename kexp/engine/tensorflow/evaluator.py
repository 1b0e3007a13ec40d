"""Measuring a model on one part of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kexp.core.graph_names import stable_graph_names
from kexp.core.structures import leaves
from kexp.core.types import Nest
from kexp.data import Split
from kexp.data.order import batches
from kexp.data.read_ahead import ReadAhead, read_rows
from kexp.data.splits import head, in_memory, taken
from kexp.data.stored_arrays import is_stored
from kexp.engine.base import BatchWatcher, StepContext
from kexp.engine.tensorflow.input_pipeline import (
    count_of,
    first_of,
    gathered,
    on_device,
    weights_on_device,
)
from kexp.engine.tensorflow.length_buckets import Buckets, plain
from kexp.engine.tensorflow.own_steps import OwnSteps
from kexp.engine.tensorflow.replicas import Replicas
from kexp.engine.tensorflow.running_metrics import RunningMetrics, running_metrics
from kexp.engine.tensorflow.shard import use_shard
from kexp.engine.tensorflow.step_context import SeededStepContext
from kexp.train.objectives.base import Losses, Objective
from kexp.train.objectives.compiled import Compiled

_HELD_BYTES = 1 << 23  # of samples on the disk, that are measured in one call
_PIECES_AHEAD = 2
# The random numbers of a measurement are the same for all runs and epochs.
_SEED = 0


class Evaluator:
    """Measures a model on a split of the data that it is not trained on: its losses, and samples it makes.

    Args:
        model: What is measured.
        objective: What it is trained for.
        split: The part.
        train: The training part, if the model is finished and its samples are to be measured thoroughly.
        like: What measures the same model on another part, whose compiled functions are taken if they fit.
    """

    def __init__(
        self,
        model: keras.Model,
        objective: Objective,
        split: Split,
        train: Split | None = None,
        like: Evaluator | None = None,
    ) -> None:
        self._samples = objective.samples(model, split, train)
        self.losses: LossEvaluator | None = None
        if objective.eval_player is not None:
            self.losses = LossEvaluator(model, objective, split, None if like is None else like.losses)

    def measure(self, batch_size: int, watcher: BatchWatcher | None = None) -> dict[str, float]:
        """Return loss, metrics and those of samples, without touching a weight."""
        losses = {} if self.losses is None else self.losses.measure(batch_size, watcher)
        samples = {} if self._samples is None else self._samples.measure(batch_size)
        return {**losses, **samples}


class LossEvaluator:
    """Measures the losses of a model on one part of a data set, which stays on the device or on the disk."""

    def __init__(
        self, model: keras.Model, objective: Objective, split: Split, like: LossEvaluator | None = None
    ) -> None:
        self._model = model
        self._objective = objective
        self._replicas = Replicas()
        self.split = replace(split, sample_weight=_weights_of(split, objective))
        self._stored = is_stored(split.inputs)
        # Where shapes must be known there is one function for each batch size, and no length but the longest.
        self._sized = self._replicas.static or (objective.pairs_samples and self._replicas.distributed)
        as_they_are = self._replicas.static or objective.takes_weights or self._stored
        buckets = None if as_they_are else Buckets.of(model, split, objective.task)
        cut = None if buckets is None else buckets.cutter()
        by_length = np.arange(len(split)) if buckets is None else np.argsort(buckets.sizes, kind="stable")
        self._order = by_length.astype(np.int32)
        self._has_weights, self._cut = self.split.sample_weight is not None, cut
        # Functions take them, so that one is traced for all parts of a data set.
        self._tensors = self._on_device(in_memory(head(self.split, 1)) if self._stored else self.split)
        self._tensors += [] if cut is None else [cut.lengths]
        self._specs = tf.nest.map_structure(_any_number_of, self._tensors)
        self._own_steps: OwnSteps | None = None
        self._functions: dict[int | None, Any] = {}
        self.metrics: RunningMetrics
        if like is not None and like._own_steps is None and like._takes_like(self):
            self.metrics, self._functions = like.metrics, like._functions
            return
        shared = self._replicas.distributed
        self.metrics = running_metrics(objective, model, first_of(split) if shared else None, shared=shared)
        if isinstance(objective, Compiled) and objective.has_own_test_step:
            weights = weights_on_device(self.split.sample_weight)
            batch = objective.batch(*first_of(split), gathered(weights, [0]))
            self._own_steps = OwnSteps(model, model.test_step, batch)

    def measure(self, batch_size: int, watcher: BatchWatcher | None = None) -> dict[str, float]:
        """Return loss and metrics, without touching a weight, and tell of each batch if somebody watches."""
        self.metrics.reset()
        full, tail = batches(self._order, batch_size)
        calls = [rows for rows in (full, tail[None]) if rows.size]
        if watcher is not None:
            calls = [row[None] for rows in calls for row in rows]
        for number, (rows, first, tensors) in enumerate(self._held(calls)):
            if watcher is not None:
                watcher.begin(number)
            steps = self._steps(rows.shape[1] if self._sized else None)
            steps(tf.constant(rows), tf.constant(first), *tf.nest.flatten(tensors))
            if watcher is not None:
                watcher.end(number, self._read())
        metrics = self._read()
        self.metrics.reset()
        return metrics

    def _on_device(self, split: Split) -> list[Any]:
        weights = weights_on_device(split.sample_weight)
        return [*on_device(split), *([] if weights is None else [weights])]

    def _held(self, calls: list[np.ndarray]) -> Iterator[tuple[np.ndarray, int, list[Any]]]:
        """Yield the (batches, samples) rows of each call, with tensors and the row that they begin with."""
        if not self._stored:
            yield from ((rows, 0, self._tensors) for rows in calls)
            return
        row_bytes = max(1, sum(one.nbytes for one in leaves(self.split.inputs)) // len(self.split))
        pieces = [piece for rows in calls for piece in _pieces(rows, _HELD_BYTES // row_bytes)]
        # Samples on the disk are measured as they lie there, so that a piece is one stretch of them.
        stretches = [np.arange(rows[0, 0], rows[-1, -1] + 1) for rows in pieces]
        inputs = plain(self.split.inputs)
        with ReadAhead(partial(read_rows, tf.nest.flatten(inputs))) as ahead:
            ahead.plan(stretches, _PIECES_AHEAD)
            for rows, stretch in zip(pieces, stretches, strict=True):
                held = taken(self.split, slice(stretch[0], stretch[-1] + 1))
                held = replace(held, inputs=tf.nest.pack_sequence_as(inputs, ahead(stretch)))
                yield rows, int(stretch[0]), self._on_device(held)

    @property
    def is_plain(self) -> bool:
        """Whether batches are samples in memory as they are, all alike."""
        return self._cut is None and not self._stored and not self._has_weights

    def _takes_like(self, other: LossEvaluator) -> bool:
        """Whether another one's tensors have the form of these, so that functions of these take them."""
        cut = [None if one is None else one.with_targets for one in (self._cut, other._cut)]
        forms = [(one._specs, one._has_weights) for one in (self, other)]
        return bool(forms[0] == forms[1] and cut[0] == cut[1])

    def _read(self) -> dict[str, float]:
        return self.metrics.read() if self._own_steps is None else self._own_steps.read()

    def _steps(self, width: int | None) -> Any:
        """Return the function that measures batches of any size, or of this one alone."""
        if width in self._functions:
            return self._functions[width]

        places = [tf.TensorSpec([None, width], tf.int32), tf.TensorSpec([], tf.int32)]
        signature = [*places, *tf.nest.flatten(self._specs)]

        @tf.function(input_signature=signature, autograph=False)
        def run(rows: tf.Tensor, first: tf.Tensor, *flat: tf.Tensor) -> None:
            parts = tf.nest.pack_sequence_as(self._specs, flat)

            def take_step(number: tf.Tensor) -> tuple[tf.Tensor]:
                taken, held = rows[number], rows[number] - first
                inputs, targets = tf.nest.map_structure(partial(tf.gather, indices=held), tuple(parts[:2]))
                if self._cut is not None:
                    inputs, targets = replace(self._cut, lengths=parts[-1])(inputs, targets, taken)
                weights = gathered(parts[2], held) if self._has_weights else None
                self.step(inputs, targets, weights, taken[0])
                return (number + 1,)

            tf.while_loop(lambda number: number < tf.shape(rows)[0], take_step, (0,), parallel_iterations=1)

        with stable_graph_names():
            # TensorFlow does not count it as one too many.
            self._functions[width] = run.get_concrete_function()
        return self._functions[width]

    def step(self, inputs: Nest, targets: Nest, weights: Nest, place: tf.Tensor) -> None:
        """Take account of a batch, inside a compiled function."""
        samples = count_of(inputs)
        if self._own_steps is not None:
            assert isinstance(self._objective, Compiled)
            self._own_steps.take(self._objective.batch(inputs, targets, weights))
            return
        if not self._replicas.distributed:
            step = SeededStepContext(False, _SEED, place, sample_weight=weights)
            losses = self._losses(inputs, targets, step)
            total = self._weighted(losses.total, weights)
            loss = tf.reduce_mean(total) + tf.cast(losses.penalty, tf.float32)
            self.metrics.update(losses, targets)
        else:
            loss, *changes = self._replicas.total(self._shared, inputs, targets, weights, place)
            self.metrics.add(changes)
        self.metrics.update_loss(loss, samples)

    def _shared(self, inputs: Nest, targets: Nest, weights: Nest, place: tf.Tensor) -> list[tf.Tensor]:
        """Return what this replica's samples add to the loss of a batch and to the metrics."""
        samples = tf.cast(count_of(inputs), tf.float32)
        (inputs, targets, weights), shard = self._replicas.shard((inputs, targets, weights))
        with use_shard(shard):
            step = SeededStepContext(False, _SEED, place, shard=shard, sample_weight=weights)
            losses = self._losses(inputs, targets, step)
        total = tf.reduce_sum(self._weighted(losses.total, weights)) * shard.weight
        loss = (total + tf.cast(losses.penalty, tf.float32) * shard.count) / samples
        return [loss, *self.metrics.changes(losses, targets, shard.weight)]

    def _losses(self, inputs: Nest, targets: tf.Tensor, step: StepContext) -> Losses:
        assert self._objective.eval_player is not None
        return self._objective.losses(self._objective.eval_player, self._model, inputs, targets, step)

    def _weighted(self, losses: tf.Tensor, weights: Nest) -> tf.Tensor:
        """Return (batch,) losses, which an objective that takes weights has weighted itself."""
        return losses if weights is None or self._objective.takes_weights else losses * weights


def _pieces(rows: np.ndarray, samples: int) -> Iterator[np.ndarray]:
    """Yield (batches, samples) rows in pieces of at most so many samples, a batch at least."""
    count = max(1, samples // rows.shape[1])
    yield from (rows[first : first + count] for first in range(0, len(rows), count))


def _any_number_of(samples: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec([None, *samples.shape[1:]], samples.dtype)


def _weights_of(split: Split, objective: Objective) -> Any:
    """Return the weights of a part; those that the objective does not take have the mean 1."""
    weights = split.sample_weight
    return weights if weights is None or objective.takes_weights else weights / weights.mean()

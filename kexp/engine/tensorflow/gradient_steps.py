"""Steps by gradients: what a batch costs each player, and what its optimizer makes of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kexp.core.keras_private import at_rates
from kexp.core.options import TrainOptions
from kexp.engine.base import PREFERRED, Computation, EnginePhase
from kexp.engine.tensorflow.fused_updates import fused_updates
from kexp.engine.tensorflow.gradients import clipped, whole
from kexp.engine.tensorflow.input_pipeline import Batches, count_of
from kexp.engine.tensorflow.replicas import Replicas
from kexp.engine.tensorflow.running_metrics import RunningMetrics
from kexp.engine.tensorflow.shard import Shard, use_shard
from kexp.engine.tensorflow.step_context import SeededStepContext
from kexp.train.objectives import Losses, Objective


class GradientSteps:
    """Has each player take its turn, inside a compiled function.

    The gradient of a step is the mean over all its samples: summed over batches (accumulation) and replicas
    first, clipped and applied after, so that any number of either computes the same.

    Args:
        model: What is trained.
        objective: What a step minimises.
        phase: What is trained, to begin with.
        batch_source: Gives the samples of a step.
        metrics: Take account of each batch.
        options: Complete training options.
        replicas: The devices that share a batch.
        taken: Variable with the number of steps taken.
        augmentation: Changes the inputs and targets of a training batch.
        class_weights: (classes,) float32 weights of the training loss.
        computation: How steps are computed.

    Attributes:
        jit: Whether XLA compiles the part of a step that a replica takes; of one device, the loop over steps
            is for who calls to compile.
    """

    def __init__(
        self,
        model: keras.Model,
        objective: Objective,
        phase: EnginePhase,
        batch_source: Batches,
        metrics: RunningMetrics,
        options: TrainOptions,
        replicas: Replicas,
        taken: tf.Variable,
        *,
        augmentation: Any | None = None,
        class_weights: np.ndarray | None = None,
        computation: Computation = PREFERRED,
    ) -> None:
        self._model = model
        self._objective = objective
        self.begin_phase(phase)
        self._batch_source = batch_source
        self._metrics = metrics
        self._options = options
        self._replicas = replicas
        self._taken = taken
        self._augmentation = augmentation
        self._class_weights = class_weights
        self._updates = fused_updates if computation.fused_updates else nullcontext
        self._counter_random = computation.counter_random
        self.jit = False

    def begin_phase(self, phase: EnginePhase) -> None:
        """Train from now on what a phase trains."""
        self._players, self._optimizers = phase.players, phase.optimizers

    def take(self, row: tf.Tensor, batch_size: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Take a step.

        Args:
            row: (samples,) positions in the training data.
            batch_size: Samples per forward pass, a number where shapes must be known.

        Returns:
            The sum of the players' losses and the norm of the gradient; of several players the (players,)
            norms, 0 where one has no turn.
        """
        turns = [self._turn(number, row, batch_size) for number in range(len(self._players))]
        self._taken.assign_add(1)
        if len(turns) == 1:
            return turns[0]
        losses, norms = zip(*turns, strict=True)
        return tf.add_n(losses), tf.stack(norms)

    def _turn(self, number: int, row: tf.Tensor, batch_size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def play() -> tuple[tf.Tensor, tf.Tensor]:
            samples = None if self._batch_source.feeds else row.shape[0] or tf.shape(row)[0]
            if self._options["accumulate"] == 1 and self._options["batch_size"] != "auto":
                gradients, loss, samples = self._gradients(number, row, samples, 0)
            else:
                gradients, loss = self._accumulated(number, row, samples, batch_size)
            if number == len(self._players) - 1:
                self._metrics.update_loss(loss, samples)
            return loss, self._apply(number, gradients)

        update_every = self._players[number].update_every
        if update_every == 1:
            return play()
        due = tf.equal((self._taken + 1) % update_every, 0)
        return tf.cond(due, play, lambda: (tf.zeros(()), tf.zeros(())))

    def _accumulated(self, number: int, row: Any, samples: Any, batch_size: Any) -> tuple[list[Any], Any]:
        """Return gradient and loss of a row, taken in batches of `batch_size`."""

        def add(first: Any, loss: Any, *sums: Any) -> Any:
            gradients, part, _ = self._gradients(number, row[first : first + batch_size], samples, first)
            return (first + batch_size, loss + part, *(a + b for a, b in zip(sums, gradients, strict=True)))

        zeros = [tf.zeros(weight.shape, weight.dtype) for weight in self._trained(number)]
        if isinstance(samples, int):
            state = (0, tf.zeros(()), *zeros)
            while state[0] < samples:
                state = add(*state)
        else:
            state = tf.while_loop(
                lambda first, *_: first < samples, add, (0, 0.0, *zeros), parallel_iterations=1
            )
        return list(state[2:]), state[1]

    def _trained(self, number: int) -> list[Any]:
        player = self._players[number]
        return [weight for group in player.groups for weight in group.weights] or (
            player.network.trainable_weights
        )

    @contextmanager
    def _tape(self, trained: Sequence[Any]) -> Iterator[tf.GradientTape]:
        """Have a forward pass recorded; variables are watched as they are read, or those of groups alone."""
        groups = any(player.groups for player in self._players)
        with tf.GradientTape(watch_accessed_variables=not groups) as tape:
            for weight in trained if groups else ():
                tape.watch(weight.value)  # so that nothing is recorded of layers below them
            yield tape

    def _gradients(
        self, number: int, rows: tf.Tensor, samples: Any, first: Any
    ) -> tuple[list[Any], tf.Tensor, Any]:
        """Return what `rows`, from the place `first` of a step, add to its gradient and its loss.

        Args:
            number: Of the player.
            rows: (batch,) positions.
            samples: Of the whole step; None: of this batch, which is as large as it comes.
            first: Place of the batch in the step.
        """
        batch = self._batch_source(rows)
        samples = count_of(batch[0]) if samples is None else samples
        if not self._replicas.distributed:
            with self._replicas.layers():
                gradients, loss, losses, targets = self._forward(number, batch, samples, first)
            self._metrics.update(losses, targets)
            return gradients, loss, samples
        loss, *others = self._replicas.total(partial(self._shared, number), batch, samples, first)
        weights = len(self._trained(number))
        self._metrics.add(others[weights:])
        return others[:weights], loss, samples

    def _shared(self, number: int, batch: Any, samples: tf.Tensor, first: Any) -> list[tf.Tensor]:
        """Return what this replica's samples add to the loss, the gradients and the metrics."""
        own, shard = self._replicas.shard(batch)
        part = partial(self._of_replica, number)
        if self.jit:
            part = tf.function(part, jit_compile=True, autograph=False)
        return part(own, (shard.first, shard.size, shard.whole, shard.weight), samples, first)

    def _of_replica(
        self, number: int, own: Any, place: Sequence[Any], samples: Any, first: Any
    ) -> list[tf.Tensor]:
        most = self._options["batch_size"]
        shard = replace(Shard(*place), most=None if most == "auto" else most)
        with use_shard(shard):
            gradients, loss, losses, targets = self._forward(number, own, samples, first, shard)
        return [loss, *gradients, *self._metrics.changes(losses, targets, shard.weight)]

    def _forward(
        self, number: int, batch: Any, samples: tf.Tensor, first: Any, shard: Shard | None = None
    ) -> tuple[list[Any], tf.Tensor, Losses, tf.Tensor]:
        """Return gradient, loss, losses and targets of a batch, or of a replica's share of one."""
        inputs, targets, weights, own_weights = self._weighed(batch, shard)
        player, trained = self._players[number], self._trained(number)
        count = tf.cast(count_of(inputs), tf.float32) if shard is None else shard.count
        step = self._context(number, first, shard, own_weights)
        with self._tape(trained) as tape:
            losses = self._objective.losses(player.name, self._model, inputs, targets, step)
            loss = self._share_of_mean(losses, weights, count, tf.cast(samples, tf.float32))
            scaled = self._optimizers[number].scale_loss(loss)
        gradients = self._connected(tape.gradient(scaled, trained), trained)
        return gradients, loss, losses, self._objective.metric_targets(targets)

    @staticmethod
    def _share_of_mean(losses: Losses, weights: Any, count: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
        """Return what `count` samples add to the mean loss of all `samples` of a step."""
        total = losses.total if weights is None else losses.total * weights
        return tf.reduce_sum(total) / samples + tf.cast(losses.penalty, tf.float32) * (count / samples)

    def _context(self, number: int, first: Any, shard: Shard | None, weights: Any) -> SeededStepContext:
        # The last number tells nothing apart, but the metrics that are published were drawn with it.
        place = (self._options["seed"], self._taken, first, number, 0)
        drawn = {"shard": shard, "sample_weight": weights, "counter_random": self._counter_random}
        return SeededStepContext(True, *place, **drawn)

    def _weighed(self, batch: Any, shard: Shard | None) -> tuple[Any, Any, Any, Any]:
        """Return inputs, targets and weights of a batch, and those that the objective takes itself."""
        inputs, targets, weights = batch
        if self._augmentation is not None:
            inputs, targets = self._augmentation(inputs, targets)
        if self._class_weights is not None:
            soft = tf.one_hot(targets, len(self._class_weights)) if len(targets.shape) == 1 else targets
            weights = tf.linalg.matvec(soft, self._class_weights)
        own_weights = weights if self._objective.takes_weights else None
        if self._objective.takes_weights:
            weights = None
        if shard is not None:
            weights = shard.weight if weights is None else weights * shard.weight
        return inputs, targets, weights, own_weights

    def _connected(self, gradients: list[Any], weights: list[Any]) -> list[Any]:
        unreached = [weight.path for weight, g in zip(weights, gradients, strict=True) if g is None]
        if unreached:
            warnings.warn(f"No gradient reaches {', '.join(unreached)}: not trained.", stacklevel=2)
        accumulates = self._options["accumulate"] > 1 or self._options["batch_size"] == "auto"
        dense = self._replicas.distributed or accumulates
        return [
            whole(g, weight) if dense or g is None else g
            for g, weight in zip(gradients, weights, strict=True)
        ]

    def _apply(self, number: int, gradients: list[Any]) -> tf.Tensor:
        """Clip and apply the gradient of a whole step, and return its norm."""
        optimizer, weights = self._optimizers[number], self._trained(number)
        gradients, norm = clipped(gradients, optimizer, self._options)
        with self._updates(optimizer), self._rates(number):
            if not self._replicas.distributed:
                optimizer.apply(gradients, weights)
            else:
                self._replicas.strategy.run(lambda *parts: optimizer.apply(parts, weights), args=gradients)
        return norm

    def _rates(self, number: int) -> AbstractContextManager[None]:
        """Have the groups of a player change at their rates, where they have any of their own."""
        groups = self._players[number].groups
        if all(group.learning_rate == 1.0 for group in groups):
            return nullcontext()
        return at_rates(self._optimizers[number], groups)


class PartialSteps(GradientSteps):
    """The beginning of a step of gradients, up to one of its parts, by which it is known what each takes.

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

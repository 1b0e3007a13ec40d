"""The TensorFlow engine: runs steps, validates, and holds all state that they read or write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kexp.core.graph_names import stable_graph_names
from kexp.core.keras_private import learning_rate_of, take_gradients_as_they_are
from kexp.core.options import TrainOptions
from kexp.data import Split
from kexp.engine.base import PREFERRED, BatchWatcher, Computation, StepFailure
from kexp.engine.tensorflow.evaluator import Evaluator
from kexp.engine.tensorflow.gradient_steps import GradientSteps
from kexp.engine.tensorflow.input_pipeline import TensorSource
from kexp.engine.tensorflow.own_steps import OwnSteps
from kexp.engine.tensorflow.replicas import Replicas
from kexp.engine.tensorflow.running_metrics import running_metrics
from kexp.engine.tensorflow.workers import TensorFlowWorkers, memory_checked
from kexp.models.layers.normalization import batch_normalizations
from kexp.train.objectives import Objective
from kexp.train.objectives.compiled import Compiled

# Of the running mean that a spike is measured against: it looks back over about fifty steps.
_MEAN_MOMENTUM = 0.98
# Near a loss of zero every hard sample would be a spike, so the mean counts as this share of the first loss.
_FLOOR = 0.01


class TensorFlowEngine:
    """Runs steps of a Keras model on data that stays on the device.

    Many steps make a call, and what the order of training decides is the index matrix alone, so that any
    step can be reached at once and the host does nothing in between. A step is one of gradients, or one that
    the model has itself.

    Args:
        model: A built model, made in the scope of the current tf.distribute strategy.
        objective: What a step minimises and what is measured.
        optimizers: That of each player of the objective, with its slots, in the order of their turns.
        batch_source: Gives the samples of a step.
        validation: The validation data, if any.
        options: Complete training options.
        augmentation: Changes the inputs and targets of a training batch; has `variables`.
        class_weights: (classes,) float32 weights of the training loss.
        computation: How steps are computed.
    """

    def __init__(
        self,
        model: keras.Model,
        objective: Objective,
        optimizers: Sequence[keras.optimizers.Optimizer],
        batch_source: TensorSource,
        validation: Split | None,
        options: TrainOptions,
        *,
        augmentation: Any | None = None,
        class_weights: np.ndarray | None = None,
        computation: Computation = PREFERRED,
    ) -> None:
        self.model = model
        self.objective = objective
        self.players = objective.players(model)
        self.optimizers = tuple(optimizers)
        self.batch_source = batch_source
        self.options = options
        self.workers = TensorFlowWorkers()
        self._augmentation = augmentation
        self._replicas = Replicas(counter_random=computation.counter_random)
        if self._replicas.distributed:
            for layer in batch_normalizations(model):
                layer.synchronized = options["sync_normalization"]
            for optimizer in optimizers:
                take_gradients_as_they_are(optimizer)
        self._functions: dict[tuple[int | None, int | None], Callable[..., Any]] = {}
        sample, shared = batch_source.first(), self._replicas.distributed
        self._metrics = running_metrics(objective, model, sample, shared=shared)
        self._own_steps: OwnSteps | None = None
        if isinstance(objective, Compiled) and objective.has_own_train_step:
            batch = objective.batch(*sample, batch_source.first_weight())
            self._own_steps = OwnSteps(model, model.train_step, batch)
        # Steps taken, and the first and the running mean of the loss, which a spike is measured against.
        self._progress = [tf.Variable(0), tf.Variable(0.0), tf.Variable(0.0)]
        self._gradient_steps = GradientSteps(
            model,
            objective,
            self.optimizers,
            batch_source,
            self._metrics,
            options,
            self._replicas,
            self._progress[0],
            augmentation=augmentation,
            class_weights=class_weights,
            computation=computation,
        )
        self._validation = None if validation is None else Evaluator(model, objective, validation)

    def run(self, rows: np.ndarray, batch_size: int) -> StepFailure | None:
        """Take one step for each row of `rows`, and stop early at one that goes wrong.

        Args:
            rows: (steps, samples) positions in the training data.
            batch_size: Samples per forward pass; a row may have several times as many.

        Returns:
            None when all went well. After a failure the model is not to be used: restore a state.
        """
        self.batch_source.begin()
        if self.objective.runs_eagerly:
            return self._run_eagerly(rows, batch_size)
        # Open sizes spare the uneven last batch a trace of its own, which would cost more time than a short
        # run takes.
        static = self._replicas.static or self.objective.uses_xla
        sizes = (rows.shape[1], batch_size) if static else (None, None)
        with memory_checked():
            taken, loss, norm, wrong = self._compiled(*sizes)(tf.constant(rows), tf.constant(batch_size))
        return StepFailure(int(taken) - 1, float(loss), float(norm)) if bool(wrong) else None

    def _run_eagerly(self, rows: np.ndarray, batch_size: int) -> StepFailure | None:
        for number, row in enumerate(rows):
            before = tf.identity(self._progress[2])
            loss, norm = self.step(tf.constant(row), batch_size)
            self._progress[2].assign(self._running_mean(before, loss))
            if bool(self._is_bad_step(before, loss, norm)):
                return StepFailure(number, float(loss), float(norm))
        return None

    def read_metrics(self) -> dict[str, float]:
        """Return loss and metrics over what was run since the last reset."""
        return self._metrics.read() if self._own_steps is None else self._own_steps.read()

    def reset_metrics(self) -> None:
        """Start the running means anew."""
        self._metrics.reset()

    @property
    def validates(self) -> bool:
        """Whether there is validation data."""
        return self._validation is not None

    def validate(self, batch_size: int, watcher: BatchWatcher | None = None) -> dict[str, float]:
        """Return loss, metrics, those of samples included, on the validation data."""
        assert self._validation is not None
        with memory_checked():
            return self._validation.measure(batch_size, watcher)

    def measure(self, split: Split, train: Split, batch_size: int) -> dict[str, float]:
        """Return loss, metrics, those of samples included, of the finished model on another part."""
        return Evaluator(self.model, self.objective, split, train, self._validation).measure(batch_size)

    def read_state(self) -> dict[str, np.ndarray]:
        """Return every variable that a step reads or writes, by a stable name."""
        # A copy: the array that TensorFlow hands out may be the variable's own memory.
        state = {name: np.copy(variable.numpy()) for name, variable in self._variables().items()}
        return {**state, **self.batch_source.read_state()}

    def restore_state(self, state: dict[str, np.ndarray]) -> None:
        """Set every variable to what `read_state` returned."""
        for name, variable in self._variables().items():
            saved = state[name]
            # NumPy's file format knows bfloat16 only as two raw bytes.
            variable.assign(saved.view(variable.numpy().dtype) if saved.dtype.kind == "V" else saved)
        if self.batch_source.restore_state(state):
            self._functions.clear()  # they hold the iterator that was left

    def close(self) -> None:
        """Let go of what the source of batches makes ahead."""
        self.batch_source.close()
        self._functions.clear()

    def state_bytes(self) -> int:
        """Return the size of what `read_state` returns."""
        return sum(array.nbytes for array in self.read_state().values())

    def _variables(self) -> dict[str, Any]:
        groups = {
            "model": self.model.variables,
            "metrics": self._metrics.variables,
            "augmentation": [] if self._augmentation is None else self._augmentation.variables,
            "progress": self._progress,
        }
        for player, optimizer in zip(self.players, self.optimizers, strict=True):
            groups[f"optimizer of {player.name}"] = optimizer.variables
            groups[f"schedule of {player.name}"] = getattr(learning_rate_of(optimizer), "variables", [])
        if self._own_steps is not None:
            known = [variable for variables in groups.values() for variable in variables]
            groups["results"] = self._own_steps.variables
            groups["touched"] = self._own_steps.touched(known)
        return {
            f"{group}/{number}": variable
            for group, variables in groups.items()
            for number, variable in enumerate(variables)
        }

    def _compiled(self, width: int | None, batch_size: int | None) -> Callable[..., Any]:
        """Return the function that takes steps, for rows and batches of any size or of these alone."""
        if (width, batch_size) in self._functions:
            return self._functions[width, batch_size]
        signature = [tf.TensorSpec([None, width], tf.int32), tf.TensorSpec([], tf.int32)]

        take = self.step
        if self.objective.uses_xla and not self.batch_source.feeds:
            take = tf.function(self.step, jit_compile=True, autograph=False)

        # Without autograph, as in Keras's own loop: TensorFlow 2.20 has none for Python 3.13.
        @tf.function(input_signature=signature, autograph=False)
        def run(rows: tf.Tensor, size: tf.Tensor) -> Any:
            def take_step(number: Any, mean: Any, *_: Any) -> Any:
                loss, norm = take(rows[number], batch_size or size)
                running = self._running_mean(mean, loss)
                return number + 1, running, loss, norm, self._is_bad_step(mean, loss, norm)

            steps = tf.shape(rows)[0]
            start = (0, self._progress[2].read_value(), 0.0, 0.0, False)
            number, mean, loss, norm, wrong = tf.while_loop(
                lambda number, mean, loss, norm, wrong: (number < steps) & ~wrong,
                take_step,
                tuple(tf.convert_to_tensor(value) for value in start),
                parallel_iterations=1,
            )
            self._progress[2].assign(mean)
            return number, loss, norm, wrong

        # Traced once, here: TensorFlow takes many models in one process for one that is traced again and
        # again, and would warn.
        with stable_graph_names():
            self._functions[width, batch_size] = run.get_concrete_function()
        return self._functions[width, batch_size]

    def _running_mean(self, mean: tf.Tensor, loss: tf.Tensor) -> tf.Tensor:
        first = self._progress[1]
        begins = tf.equal(self._progress[0], 1)
        first.assign(tf.where(begins, loss, first))
        return tf.where(begins, loss, _MEAN_MOMENTUM * mean + (1 - _MEAN_MOMENTUM) * loss)

    def _is_bad_step(self, mean: tf.Tensor, loss: tf.Tensor, norm: tf.Tensor) -> tf.Tensor:
        wrong = ~tf.math.is_finite(loss) | ~tf.math.is_finite(norm)
        if self.options["spike"] is None or not self.objective.detects_loss_spikes:
            return wrong
        # A loss that may fall below zero, as with add_loss, has no size that a spike is a multiple of.
        usual = tf.where(self._progress[1] > 0, tf.maximum(mean, _FLOOR * self._progress[1]), np.inf)
        return wrong | ((loss > self.options["spike"] * usual) & (self._progress[0] > 1))

    def step(self, row: tf.Tensor, batch_size: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Take one step, inside a compiled function.

        Args:
            row: (samples,) positions in the training data.
            batch_size: Samples per forward pass, a number where shapes must be known.

        Returns:
            The loss, summed over players, and the norm of all gradients.
        """
        if self._own_steps is None:
            return self._gradient_steps.take(row, batch_size)
        assert isinstance(self.objective, Compiled)
        loss = self._own_steps.take(self.objective.batch(*self.batch_source(row)))
        self._progress[0].assign_add(1)
        return loss, tf.zeros(())

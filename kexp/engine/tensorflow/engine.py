"""The TensorFlow engine: runs steps, validates, and holds all state that they read or write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kexp.core.keras_private import learning_rate_of, take_gradients_as_they_are
from kexp.core.options import TrainOptions
from kexp.data import Split
from kexp.engine.base import NORM_STATE, PREFERRED, BatchWatcher, Computation, EnginePhase, StepFailure
from kexp.engine.tensorflow.evaluator import Evaluator
from kexp.engine.tensorflow.gradient_steps import GradientSteps, PartialSteps
from kexp.engine.tensorflow.input_pipeline import Batches, TensorSource
from kexp.engine.tensorflow.own_steps import OwnSteps
from kexp.engine.tensorflow.replicas import Replicas
from kexp.engine.tensorflow.running_metrics import running_metrics
from kexp.engine.tensorflow.step_loop import Progress, StepLoop, uncompiled
from kexp.engine.tensorflow.workers import TensorFlowWorkers, memory_checked
from kexp.models.layers.normalization import batch_normalizations
from kexp.train.objectives import Objective
from kexp.train.objectives.compiled import Compiled
from kexp.train.step_checksums import variable_checksums


class TensorFlowEngine:
    """Runs steps of a Keras model on data that stays on the device.

    Many steps make a call, and what the order of training decides is the index matrix alone, so that any
    step can be reached at once and the host does nothing in between. A step is one of gradients, or one that
    the model has itself.

    Args:
        model: A built model, made in the scope of the current tf.distribute strategy.
        objective: What a step minimises and what is measured.
        phases: What each phase of the training trains, one at least; the first is begun.
        batch_source: Gives the samples of a step.
        validation: The validation data, if any.
        options: Complete training options.
        augmentation: Changes the inputs and targets of a training batch; has `variables`.
        class_weights: (classes,) float32 weights of the training loss.
        computation: How steps are computed.

    Attributes:
        computation: How steps are computed, but for `jit`, which may change.
        metrics: The running loss and metrics.
        progress: Where the training stands.
        loop: Takes steps by themselves.
        take_steps: Takes them together with those of other trainings; None: they are taken by themselves.
        evaluator: Measures the model on the validation data by itself.
        evaluate: Measures it together with others; likewise.
    """

    def __init__(
        self,
        model: keras.Model,
        objective: Objective,
        phases: Sequence[EnginePhase],
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
        self._phases = tuple(phases)
        self.players, self.optimizers, enter = self._phases[0]
        enter()
        self._phase = 0
        self.batch_source = batch_source
        self.options = options
        self.workers = TensorFlowWorkers()
        self.computation = computation
        self._augmentation = augmentation
        self._replicas = Replicas(computation=computation)
        self._normalizes_together = False
        if self._replicas.distributed:
            for layer in batch_normalizations(model):
                layer.synchronized = options["sync_normalization"]
                self._normalizes_together = options["sync_normalization"]
            for phase in phases:
                for optimizer in phase.optimizers:
                    take_gradients_as_they_are(optimizer)
        sample, shared = batch_source.first(), self._replicas.distributed
        self.metrics = running_metrics(objective, model, sample, shared=shared)
        self._own_steps: OwnSteps | None = None
        if isinstance(objective, Compiled) and objective.has_own_train_step:
            batch = objective.batch(*sample, batch_source.first_weight())
            self._own_steps = OwnSteps(model, model.train_step, batch)
        norms = tf.Variable(tf.zeros(len(self.players)))
        self.progress = Progress(tf.Variable(0), tf.Variable(0.0), tf.Variable(0.0), norms, tf.Variable(0))
        self.loop = self._step_loop()
        self._gradient_steps = GradientSteps(
            model,
            objective,
            self._phases[0],
            batch_source,
            self.metrics,
            options,
            self._replicas,
            self.progress.steps,
            augmentation=augmentation,
            class_weights=class_weights,
            computation=computation,
        )
        self.evaluator = None if validation is None else Evaluator(model, objective, validation)
        self.take_steps: Callable[[np.ndarray, int], StepFailure | None] | None = None
        self.evaluate: Callable[[int, BatchWatcher | None], dict[str, float]] | None = None
        self._jit = False
        self.jit = computation.jit

    @property
    def jit(self) -> bool:
        """Whether XLA compiles the steps: those of a call together, or of a replica its part of each."""
        return self._jit

    @jit.setter
    def jit(self, jit: bool) -> None:
        if jit == self._jit:
            return  # what is compiled stays so
        self._jit = jit
        self.loop.jit = jit and not self._replicas.distributed
        self._gradient_steps.jit = jit and self._replicas.distributed
        self.loop.forget()

    def begin_phase(self, number: int) -> None:
        """Train from now on what a phase trains, counted from 0, with its optimizers as they are."""
        if number == self._phase:
            return
        self._phase = number
        self.players, self.optimizers, enter = self._phases[number]
        enter()
        self._gradient_steps.begin_phase(self._phases[number])
        # Callbacks look for the optimizer here. The model is not compiled: that would be saved with it.
        self.model.optimizer = self.optimizers[-1]
        self.loop.forget()

    @property
    def phases(self) -> int:
        """How many phases the training has, 1 or more."""
        return len(self._phases)

    @property
    def has_phases(self) -> bool:
        """Whether there is more than one phase, or one that trains a part of the model."""
        return len(self._phases) > 1 or any(player.groups for player in self.players)

    @property
    def is_distributed(self) -> bool:
        """Whether a strategy shares batches among devices."""
        return self._replicas.distributed

    @property
    def device_type(self) -> str:
        """The type of device that holds the weights, such as "CPU" or "GPU"."""
        return tf.DeviceSpec.from_string(self.progress.steps.device).device_type or "CPU"

    def compile_problem(self, rows: np.ndarray, batch_size: int) -> str | None:
        """Return why XLA does not compile steps like this one, or None; no state is changed.

        Args:
            rows: (1, samples) positions in the training data.
            batch_size: Samples per forward pass.
        """
        if self.objective.runs_eagerly:
            return "the model was compiled to be run eagerly"
        if self.batch_source.feeds:
            return "batches come one by one from outside"
        if self.batch_source.on_host:
            return "samples are read from disk within a step"
        if self._replicas.distributed and self._own_steps is not None:
            return "a train_step of the model's own is not divided among replicas"
        if self._replicas.distributed and self._normalizes_together:
            return "replicas normalise each batch together"
        state = self.read_state()
        try:
            self.run(rows, batch_size)
        except tf.errors.OpError as error:
            return uncompiled(error)
        finally:
            self.restore_state(state)
        return None

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of a step that `until` can end at; of a step that the model has itself, one."""
        return ("input",) if self._own_steps else ("input", "forward", "backward", "update")

    def until(self, part: str, batch_source: Batches | None = None) -> TensorFlowEngine:
        """Return an engine of the same variables whose steps end after a part; see `PartialSteps`."""
        other = copy(self)
        other._own_steps = None
        other._gradient_steps = PartialSteps(self._gradient_steps, part, batch_source)
        other.loop = other._step_loop()
        other.loop.jit = self.loop.jit
        return other

    def run(self, rows: np.ndarray, batch_size: int) -> StepFailure | None:
        """Take one step for each row of `rows`, and stop early at one that goes wrong.

        Args:
            rows: (steps, samples) positions in the training data.
            batch_size: Samples per forward pass; a row may have several times as many.

        Returns:
            None when all went well. After a failure the model is not to be used: restore a state.
        """
        self.batch_source.begin(rows, batch_size)
        if self.objective.runs_eagerly:
            return self.loop.run_eagerly(rows, batch_size)
        with memory_checked():
            return (self.take_steps or self.loop.run)(rows, batch_size)

    def read_metrics(self) -> dict[str, float]:
        """Return loss and metrics over what was run since the last reset."""
        return self.metrics.read() if self._own_steps is None else self._own_steps.read()

    def gradient_norms(self) -> dict[str, float]:
        """Return the mean norm of the gradient over the steps since the last reset, by player."""
        if self._own_steps is not None:
            return {}
        start, end = (int(variable.numpy()) for variable in (self.progress.epoch_start, self.progress.steps))
        found = {}
        players = zip(self.players, self.optimizers, self.progress.norm_sums.numpy(), strict=True)
        for player, optimizer, total in players:
            turns = end // player.update_every - start // player.update_every
            scales_loss = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
            if turns and not scales_loss and np.isfinite(total):
                found[player.name] = float(total) / turns
        return found

    def reset_metrics(self) -> None:
        """Start the running means anew, of the gradient norm too."""
        self.metrics.reset()
        self.progress.norm_sums.assign(tf.zeros_like(self.progress.norm_sums))
        self.progress.epoch_start.assign(self.progress.steps)

    @property
    def validates(self) -> bool:
        """Whether there is validation data."""
        return self.evaluator is not None

    def validate(self, batch_size: int, watcher: BatchWatcher | None = None) -> dict[str, float]:
        """Return loss, metrics, those of samples included, on the validation data."""
        assert self.evaluator is not None
        with memory_checked():
            return (self.evaluate or self.evaluator.measure)(batch_size, watcher)

    def measure(self, split: Split, train: Split, batch_size: int) -> dict[str, float]:
        """Return loss, metrics, those of samples included, of the finished model on another part."""
        return Evaluator(self.model, self.objective, split, train, self.evaluator).measure(batch_size)

    def read_state(self) -> dict[str, np.ndarray]:
        """Return every variable that a step reads or writes, by a stable name."""
        return self.snapshot()()

    def snapshot(self) -> Callable[[], dict[str, np.ndarray]]:
        """Return what gives the state as it is now, whenever and in whatever thread it is asked."""
        # Memory that a tensor shares with a variable is copied by the next update, which leaves the tensor's.
        held = {name: tf.identity(variable) for name, variable in self.variables().items()}
        source = self.batch_source.read_state()
        # A copy: the array that TensorFlow hands out may be the tensor's own memory.
        return lambda: {**{name: np.copy(tensor.numpy()) for name, tensor in held.items()}, **source}

    def restore_state(self, state: dict[str, np.ndarray]) -> None:
        """Set every variable to what `read_state` returned."""
        for name, variable in self.variables().items():
            if name not in state and name.startswith(NORM_STATE):
                # A checkpoint of an earlier version: nobody knows the norms of this epoch any more.
                variable.assign(tf.fill(variable.shape, tf.constant(np.nan)) if variable.shape.rank else 0)
                continue
            saved = state[name]
            # NumPy's file format knows bfloat16 only as two raw bytes.
            variable.assign(saved.view(variable.numpy().dtype) if saved.dtype.kind == "V" else saved)
        if self.batch_source.restore_state(state):
            self.loop.forget()  # they hold the iterator that was left

    def checksums(self) -> dict[str, int]:
        """Return the CRC-32 of every variable that a step changes for good, by the names of `read_state`."""
        # Without a copy, since they are read here and now.
        return variable_checksums(
            (name, np.asarray(tf.convert_to_tensor(variable)))
            for name, variable in self.variables().items()
            if not name.startswith(("metrics/", NORM_STATE))
        )

    def close(self) -> None:
        """Let go of what the source of batches makes ahead."""
        self.batch_source.close()
        self.loop.forget()

    def state_bytes(self) -> int:
        """Return the size of what `read_state` returns."""
        variables = sum(int(np.prod(v.shape)) * tf.as_dtype(v.dtype).size for v in self.variables().values())
        return variables + sum(array.nbytes for array in self.batch_source.read_state().values())

    def variables(self) -> dict[str, Any]:
        """Return every variable that a step reads or writes, by a stable name."""
        groups = {
            "model": self.model.variables,
            "metrics": self.metrics.variables,
            "augmentation": [] if self._augmentation is None else self._augmentation.variables,
            "progress": [self.progress.steps, self.progress.first_loss, self.progress.mean_loss],
            NORM_STATE.rstrip("/"): [self.progress.norm_sums, self.progress.epoch_start],
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

    def _step_loop(self) -> StepLoop:
        spike = self.options["spike"] if self.objective.detects_loss_spikes else None
        return StepLoop(self.step, self.progress, spike, static=self._replicas.static)

    def step(self, row: tf.Tensor, batch_size: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Take one step, inside a compiled function.

        Args:
            row: (samples,) positions in the training data.
            batch_size: Samples per forward pass, a number where shapes must be known.

        Returns:
            The loss, summed over players, and the norm of the gradient, or the (players,) norms of several.
        """
        if self._own_steps is None:
            return self._gradient_steps.take(row, batch_size)
        assert isinstance(self.objective, Compiled)
        loss = self._own_steps.take(self.objective.batch(*self.batch_source(row)))
        self.progress.steps.assign_add(1)
        return loss, tf.zeros(())

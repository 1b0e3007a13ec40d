"""The program of a population: steps or evaluations of many trials at once, along a leading axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kexp.core.graph_names import stable_graph_names
from kexp.core.keras_private import assigning_in_scope
from kexp.core.types import Nest
from kexp.engine.base import PREFERRED, EnginePhase
from kexp.engine.tensorflow.engine import TensorFlowEngine
from kexp.engine.tensorflow.evaluator import LossEvaluator
from kexp.engine.tensorflow.fused_updates import rounding_as_fused
from kexp.engine.tensorflow.gradient_steps import GradientSteps
from kexp.engine.tensorflow.gradients import clipped
from kexp.engine.tensorflow.input_pipeline import Batches, count_of
from kexp.engine.tensorflow.replicas import Replicas
from kexp.engine.tensorflow.step_loop import Progress, StepLoop, total_norm
from kexp.engine.tensorflow.trial_scalar import Scalar, use_scalars

# From inputs, targets and the seed of a trial to whether the step went wrong, in a `keras.StatelessScope`.
TrialStep = Callable[[Nest, Nest, tf.Tensor], tf.Tensor]


class PopulationProgram:
    """Steps of many trials as one compiled program.

    The values of all variables go in and come out with a leading axis for the trials. Which trials these are
    is not the program's business, so that any of a population may take part in a call.

    Args:
        step: Of one trial, whose model, objective and optimizer are traced for all of them.
        variables: Those that it reads or writes.
        scalars: Attributes that differ from trial to trial.
        sample: Inputs and targets of one sample, (1, ...) each.
    """

    def __init__(
        self, step: TrialStep, variables: Sequence[Any], scalars: Sequence[Scalar], sample: Nest
    ) -> None:
        self._step = step
        self._variables = variables
        self._scalars = scalars
        self._sample = sample
        self.problem: str | None = None

    @property
    def is_traced(self) -> bool:
        """Whether the program has been made, which takes seconds."""
        return "_traced" in vars(self)

    @contextmanager
    def noting_problem(self) -> Iterator[None]:
        """Note what cannot be computed for many trials at once."""
        try:
            yield
        except Exception as error:
            said = str(error).strip().partition("\n")[0]
            self.problem = f"{type(error).__name__}: {said}" if said else type(error).__name__

    def run(
        self, values: Sequence[tf.Tensor], scalars: np.ndarray, seeds: np.ndarray, batches: Nest
    ) -> tuple[np.ndarray, list[tf.Tensor]]:
        """Take a step of each trial for each of their batches.

        Args:
            values: Of the variables, (trials, ...) each.
            scalars: (trials, scalars) float64.
            seeds: (trials,) int32 seeds of the runs.
            batches: Inputs and targets, (trials, steps, batch, ...) each.

        Returns:
            For each trial whether one of its steps went wrong, and the values after the steps.
        """
        arguments = tf.nest.map_structure(tf.convert_to_tensor, (list(values), scalars, seeds, batches))
        wrong, *after = self._traced(*tf.nest.flatten(arguments))
        return wrong.numpy(), after

    @cached_property
    def _traced(self) -> Any:
        """The function, traced once for any number of trials, steps and samples."""
        values = [tf.TensorSpec([None, *variable.shape], variable.dtype) for variable in self._variables]
        others = tf.TensorSpec([None, len(self._scalars)], tf.float64), tf.TensorSpec([None], tf.int32)
        batches = tf.nest.map_structure(
            lambda array: tf.TensorSpec([None, None, None, *array.shape[1:]], array.dtype), self._sample
        )
        specs = (values, *others, batches)

        def run(*flat: tf.Tensor) -> Any:
            return self._take_steps(*tf.nest.pack_sequence_as(specs, flat))

        with stable_graph_names():
            return tf.function(run, autograph=False).get_concrete_function(*tf.nest.flatten(specs))

    def _take_steps(
        self, values: list[tf.Tensor], scalars: tf.Tensor, seeds: tf.Tensor, batches: Nest
    ) -> list[tf.Tensor]:
        steps = tf.shape(tf.nest.flatten(batches)[0])[1]

        def take_step(number: tf.Tensor, wrong: tf.Tensor, *values: tf.Tensor) -> tuple[tf.Tensor, ...]:
            batch = tf.nest.map_structure(lambda array: array[:, number], batches)
            trials = list(values), scalars, seeds, batch
            is_bad, after = tf.vectorized_map(self._of_trial, trials, warn=False)
            shapes = [[None, *variable.shape] for variable in self._variables]
            return (number + 1, wrong | is_bad, *map(tf.ensure_shape, after, shapes))

        start = (tf.constant(0), tf.zeros_like(seeds, tf.bool), *values)
        taken = tf.while_loop(lambda number, *_: number < steps, take_step, start, parallel_iterations=1)
        return list(taken[1:])

    def _of_trial(self, of_trial: tuple[list[Any], Any, Any, tuple[Any, Any]]) -> tuple[Any, list[Any]]:
        """Return whether a step of one trial went wrong, and the values of the variables after it."""
        values, scalars, seed, (inputs, targets) = of_trial
        mapping = list(zip(self._variables, values, strict=True))
        with (
            use_scalars(self._scalars, tf.unstack(scalars, len(self._scalars))),
            keras.StatelessScope(mapping, collect_losses=True) as scope,
        ):
            is_bad = self._step(inputs, targets, seed)
        return is_bad, [scope.get_current_value(variable) for variable in self._variables]


def training_program(engine: TensorFlowEngine, scalars: Sequence[Scalar]) -> PopulationProgram:
    """Return the program of the training steps of trials like that of an engine.

    Its variables are the engine's, in their order.
    """
    progress = Progress(*(keras.Variable(one.numpy(), dtype=one.dtype.name) for one in engine.progress))
    own = dict(zip(map(id, engine.progress), progress, strict=True))
    steps = _TrialSteps(engine, progress)
    spike = engine.options["spike"] if engine.objective.detects_loss_spikes else None
    loop = StepLoop(steps.take, progress, spike, static=False)

    def step(inputs: Nest, targets: Nest, seed: tf.Tensor) -> tf.Tensor:
        mean = tf.convert_to_tensor(progress.mean_loss)
        loss, norms = steps.take_batch(inputs, targets, seed)
        progress.norm_sums.assign(progress.norm_sums + norms)
        progress.mean_loss.assign(loop.running_mean(mean, loss))
        return loop.is_bad_step(mean, loss, total_norm(norms))

    variables = [own.get(id(variable), variable) for variable in engine.variables().values()]
    return PopulationProgram(step, variables, scalars, engine.batch_source.first())


def evaluation_program(
    engine: TensorFlowEngine, evaluator: LossEvaluator, scalars: Sequence[Scalar]
) -> PopulationProgram:
    """Return the program that measures trials like that of an engine on their validation data.

    Its variables are those of the evaluator's metrics, and then the model's.
    """

    def step(inputs: Nest, targets: Nest, seed: tf.Tensor) -> tf.Tensor:
        evaluator.step(inputs, targets, None, tf.constant(0))
        return tf.constant(False)

    variables = [*evaluator.metrics.variables, *engine.model.variables]
    return PopulationProgram(step, variables, scalars, engine.batch_source.first())


class _GivenBatch(Batches):
    """A batch that is at hand when a step is traced."""

    feeds: bool = False

    def __init__(self) -> None:
        self.batch: tuple[Any, Any] = (None, None)

    def __call__(self, rows: tf.Tensor) -> tuple[Any, Any, Any]:
        return *self.batch, None


class _TrialSteps(GradientSteps):
    """The steps of a trial whose variables have the values of a `keras.StatelessScope`."""

    def __init__(self, engine: TensorFlowEngine, progress: Progress) -> None:
        self._source, self._seeded, self._by_trial = _GivenBatch(), dict(engine.options), engine.optimizers
        super().__init__(
            engine.model,
            engine.objective,
            EnginePhase(engine.players, engine.optimizers),
            self._source,
            engine.metrics,
            self._seeded,  # type: ignore[arg-type]
            Replicas(computation=PREFERRED),
            progress.steps,
        )

    def take_batch(self, inputs: Nest, targets: Nest, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Take a step, and return its loss and the norm of its gradient, or those of several players."""
        self._source.batch, self._seeded["seed"] = (inputs, targets), seed
        rows = tf.range(count_of(inputs))
        return self.take(rows, tf.shape(rows)[0])

    @contextmanager
    def _tape(self, trained: Sequence[Any]) -> Iterator[tf.GradientTape]:
        with tf.GradientTape() as tape:
            tape.watch(trained)
            yield tape

    def _trained(self, number: int) -> list[Any]:
        return [weight.value for weight in super()._trained(number)]

    def _connected(self, gradients: list[Any], weights: list[Any]) -> list[Any]:
        return super()._connected(gradients, super()._trained(0))

    def _apply(self, number: int, gradients: list[Any]) -> tf.Tensor:
        optimizer = self._by_trial[number]
        limited, norm = clipped(gradients, optimizer, self._seeded, _global_norm)  # type: ignore[arg-type]
        with assigning_in_scope(optimizer), rounding_as_fused(optimizer):
            optimizer.apply(limited, super()._trained(number))
        return norm


def _global_norm(gradients: Sequence[Any]) -> tf.Tensor:
    """Return the norm in operations that there are for many trials at once, unlike TensorFlow's kernel."""
    present = [tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None]
    return tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(gradient)) for gradient in present]))

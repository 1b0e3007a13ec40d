"""What a run will take: parameters, memory, disk and time."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from kexp.core.structures import leaves
from kexp.data import Split
from kexp.data.stored_arrays import is_stored
from kexp.engine.base import Engine
from kexp.engine.engine_choice import backend
from kexp.preflight.findings import CostEstimate
from kexp.run.disk_space import space_needed
from kexp.run.dry_run import dry_run, sampled
from kexp.run.training_setup import TrainingSetup
from kexp.tasks import task_named

_SAMPLED_STEPS = 4
_MEASURED_S = 0.2
_SAMPLED = 16  # images


def estimate_cost(training: TrainingSetup) -> CostEstimate:
    """Return the cost of a run, its time estimated from a few steps of its own; nothing is changed."""
    expected = quick_estimate(training)
    weights = training.model.trainable_weights
    parts = [part for part in (training.data.train, training.data.validation) if part]
    return CostEstimate(
        parameters=training.model.count_params(),
        trainable_parameters=sum(math.prod(weight.shape) for weight in weights),
        state_bytes=expected.state_bytes,
        activation_bytes=backend().activation_bytes(
            training.model, training.data.train.inputs, training.batch_size
        ),
        data_bytes=sum(_bytes(part) - _stored_bytes(part) for part in parts),
        stored_bytes=sum(map(_stored_bytes, parts)),
        disk_bytes=expected.disk_bytes,
        step_s=expected.step_s,
        epoch_s=expected.epoch_s,
        run_s=expected.epoch_s * training.options["epochs"],
        epochs=training.options["epochs"],
    )


@dataclass(frozen=True)
class QuickEstimate:
    """What a run will take of time and disk."""

    step_s: float
    epoch_s: float
    disk_bytes: int
    state_bytes: int


def quick_estimate(training: TrainingSetup) -> QuickEstimate:
    """Return what a run will take, by a few steps of its own; nothing is changed."""
    per_step = training.batch_size * training.options["accumulate"]
    few = sampled(training, _SAMPLED_STEPS * per_step, training.options["seed"])
    with dry_run(few) as engine:
        step_s = _step_s(engine, few, per_step)
        epoch_s = step_s * training.steps_per_epoch + _validation_s(engine, training, few)
        return QuickEstimate(step_s, epoch_s, space_needed(engine), engine.state_bytes())


def _step_s(engine: Engine, few: TrainingSetup, per_step: int) -> float:
    """Return the seconds of a step, after the first call, which compiles."""
    samples = len(few.data.train)
    rows = (np.arange(_SAMPLED_STEPS * per_step, dtype=np.int32) % samples).reshape(_SAMPLED_STEPS, per_step)
    start = engine.read_state()
    engine.run(rows[:1], few.batch_size)
    taken, count, started_s = 0, 1, time.perf_counter()
    while (spent_s := time.perf_counter() - started_s) < _MEASURED_S:
        if taken:
            count = int(np.clip(0.07 * taken / spent_s, 1, 100))
        trouble = engine.run(np.resize(rows, (count, per_step)), few.batch_size)
        taken += count if trouble is None else trouble.steps + 1
        if trouble is not None:
            engine.restore_state(start)
    return spent_s / taken


def _validation_s(engine: Engine, training: TrainingSetup, few: TrainingSetup) -> float:
    if training.data.validation is None or few.data.validation is None:
        return 0.0
    if task_named(training.objective.task).makes_samples:
        return _sampling_s(training)
    engine.validate(few.batch_size)
    started_s = time.perf_counter()
    engine.validate(few.batch_size)
    return (time.perf_counter() - started_s) * len(training.data.validation) / len(few.data.validation)


def _sampling_s(training: TrainingSetup) -> float:
    """Return about how long the samples of an epoch take to draw; what measures them may not be there yet."""
    quality = getattr(training.objective, "quality", None)
    if quality is None:
        return 0.0
    training.model.sample(_SAMPLED)
    started_s = time.perf_counter()
    training.model.sample(_SAMPLED)
    return (time.perf_counter() - started_s) * quality.samples / _SAMPLED


def _bytes(split: Split) -> int:
    return sum(int(array.nbytes) for array in (*leaves(split.inputs), split.targets))


def _stored_bytes(split: Split) -> int:
    return sum(int(array.nbytes) for array in leaves(split.inputs) if is_stored(array))

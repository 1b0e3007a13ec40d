"""A few steps of training that leave no trace: what is tried out before a run must not change it."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from kexp.data.dataset import Inputs, Split
from kexp.data.order import batches, epoch_order
from kexp.engine.base import Engine
from kexp.run.jit_choice import compile_where_asked
from kexp.run.training_setup import TrainingSetup

# A learning rate that can be set at every step, and no step that is stopped for its loss alone.
AT_A_CONSTANT_RATE = {"schedule": "constant", "warmup": 0.0, "spike": None}


@contextmanager
def dry_run(training: TrainingSetup, **options: Any) -> Iterator[Engine]:
    """Yield an engine that takes real steps; afterwards every variable is what it was before.

    Args:
        training: What to train with.
        **options: Training options in place of its own.
    """
    model = training.model
    kept = [(variable, np.copy(variable.numpy())) for variable in _variables(training)]
    missing = object()
    optimizer = getattr(model, "optimizer", missing)
    try:
        with warnings.catch_warnings():
            # Told by the checks, and by the run itself.
            for told in ("No gradient reaches", ".*received `from_logits=True`"):
                warnings.filterwarnings("ignore", message=told)
            setup = replace(training, options={**training.options, **options})  # type: ignore[typeddict-item]
            engine = setup.engine()
            compile_where_asked(setup, engine)
            batch_source = engine.batch_source.read_state()
            yield engine
        engine.batch_source.restore_state(batch_source)
    finally:
        for variable, value in kept:
            variable.assign(value)
        if optimizer is not missing:
            model.optimizer = optimizer
        elif hasattr(model, "optimizer"):
            del model.optimizer


@contextmanager
def random_streams_kept() -> Iterator[None]:
    """Put the random streams of Python and NumPy back, which seed layers that are made without a seed."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def sampled(training: TrainingSetup, samples: int, seed: int = 0) -> TrainingSetup:
    """Return a training on the first so many samples of its first epoch, with as many to validate on."""
    data, weights = training.data, training.sample_weight
    # Of a stream there is a sample in memory, which may be smaller than an epoch.
    chosen = epoch_order(len(data.train.targets), seed, 0)[:samples]
    validation = data.validation
    if validation is not None:
        validation = rows_of(validation, epoch_order(len(validation), seed, 0)[:samples])
    return replace(
        training,
        data=replace(data, train=rows_of(data.train, chosen), validation=validation, test=None),
        sample_weight=None if weights is None else weights[chosen],
    )


def rows_of(split: Split, rows: np.ndarray) -> Split:
    """Return the samples of a part at the (samples,) positions `rows`."""
    inputs: Inputs = split.inputs
    if isinstance(inputs, Mapping):
        return Split({name: column[rows] for name, column in inputs.items()}, split.targets[rows])
    return Split(inputs[rows], split.targets[rows])


def training_rows(engine: Engine, training: TrainingSetup) -> Iterator[np.ndarray]:
    """Yield the samples of step after step, epoch after epoch, in the order of the run."""
    epoch, samples = 0, len(training.data.train)
    per_step = min(samples, training.batch_size * training.options["accumulate"])
    while True:
        seed = training.options["seed"]
        order = engine.batch_source.order(epoch_order(samples, seed, epoch), per_step, seed, epoch)
        full, _ = batches(order, per_step)
        yield from full
        epoch += 1


def set_learning_rate(engine: Engine, rate: float) -> None:
    """Set the rate of an engine that was made `AT_A_CONSTANT_RATE`."""
    for player, optimizer in zip(engine.players, engine.optimizers, strict=True):
        optimizer.learning_rate = rate * player.learning_rate


def _variables(training: TrainingSetup) -> list[Any]:
    augmentation = [] if training.augmentation is None else training.augmentation.variables
    metrics = [variable for metric in training.objective.metrics for variable in metric.variables]
    return [*training.model.variables, *augmentation, *metrics]

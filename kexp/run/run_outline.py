"""What a run trains and on what, in words, before its first epoch."""

from __future__ import annotations

import math

from kexp.data import Dataset, DatasetSpec, Split
from kexp.data.batch_feed import FedSplit
from kexp.run.training_setup import TrainingSetup
from kexp.tasks import task_named


def run_outline(setup: TrainingSetup) -> str:
    """Return two lines: the samples of each part, and what is trained on them for how long."""
    spec = setup.raw.spec
    return f"{setup.model.name} on {samples_outline(setup.raw)}{_targets(spec)}\n{_training(setup)}"


def samples_outline(data: Dataset) -> str:
    """Return the name of a data set and the samples of each of its parts.

    Example:
        >>> import kexp
        >>> samples_outline(kexp.data.load("iris", validation=0.2))
        'iris: 96 training, 24 validation, 30 test samples'
    """
    named = (("training", data.train), ("validation", data.validation), ("test", data.test))
    parts = [(name, part) for name, part in named if part is not None]
    if any(isinstance(part, FedSplit) for _, part in parts):
        return f"{data.name}: {', '.join(_size(name, part) for name, part in parts)}"
    return f"{data.name}: {', '.join(f'{len(part):,} {name}' for name, part in parts)} samples"


def _size(name: str, part: Split) -> str:
    if not isinstance(part, FedSplit):
        return f"{len(part):,} {name} samples"
    count = part.feed.count
    return f"{name} batches" if count is None else f"{count:,} {name} batches"


def _targets(spec: DatasetSpec) -> str:
    count = len(spec.class_names)
    return f", {count:,} {task_named(spec.task).output_noun}" if count else ""


def _training(setup: TrainingSetup) -> str:
    model, plan, epochs = setup.model, setup.epoch_plan, setup.options["epochs"]
    count = model.count_params()
    trained = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    # Each phase says at its beginning what it trains.
    share = "" if setup.phases or trained == count else f", of which {trained:,} are trained"
    steps = plan.steps_before(epochs)
    each = "" if steps is None else f" of {plan.steps_per_epoch:,} step{'s' * (plan.steps_per_epoch != 1)}"
    return f"{count:,} parameters{share}; {epochs} epoch{'s' * (epochs != 1)}{each}"

"""Exact metrics of a model on a split: its predictions for all samples, measured at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kexp.core.errors import InputError
from kexp.core.structures import leaves
from kexp.data import Dataset, DatasetSpec, Split
from kexp.engine.base import OutOfMemory
from kexp.engine.engine_choice import backend
from kexp.metrics.intervals import Interval
from kexp.run.inference import raw_outputs
from kexp.tasks import task_named
from kexp.train.objectives import Objective

if TYPE_CHECKING:
    import keras

_BATCH = 256


class ExactMetrics(NamedTuple):
    """What a split is measured by, at once.

    Attributes:
        values: By name, without those that the split does not define; none where the task has none.
        spec: That predictions were made with.
        intervals: The 95 % intervals of those that have one, if they were asked for.
        predictions: What they are of, by name; none where the task has no such metrics.
    """

    values: dict[str, float]
    spec: DatasetSpec
    intervals: dict[str, Interval]
    predictions: Mapping[str, np.ndarray]


def exact_metrics(
    model: keras.Model,
    split: Split,
    spec: DatasetSpec,
    *,
    from_logits: bool,
    batch_size: int = _BATCH,
    fits: bool = False,
    intervals: bool = False,
) -> ExactMetrics:
    """Return the metrics that people judge the task by, and the spec that predictions were made with.

    Args:
        model: From inputs as the split has them to outputs.
        split: What is measured.
        spec: What the data is.
        from_logits: Outputs are logits rather than probabilities, where they are either.
        batch_size: Samples per call of the model, default 256.
        fits: What is chosen on validation data, such as thresholds, is chosen on this split.
        intervals: Whether the intervals are wanted too, default False.
    """
    task = task_named(spec.task)
    if not task.exact_names(spec):
        return ExactMetrics({}, spec, {}, {})
    outputs = _outputs(model, split, spec, batch_size)
    predictions = task.named_predictions(outputs, spec, from_probabilities=not from_logits)
    if fits:
        spec = task.fitted(spec, split.targets, predictions)
    values = task.exact_metrics(split.targets, predictions, spec)
    found = task.intervals(split.targets, predictions, spec) if intervals else {}
    known = {name: found[name] for name in found if name in values}
    return ExactMetrics(values, spec, known, predictions)


def _outputs(model: keras.Model, split: Split, spec: DatasetSpec, batch_size: int) -> Any:
    """Return the outputs of a model, for fewer samples at a time where memory runs out."""
    while True:
        try:
            with backend().memory_checked():
                return raw_outputs(model, split.inputs, batch_size, spec.input_structure)
        except OutOfMemory:
            if batch_size == 1:
                raise
            batch_size = -(-batch_size // 2)


def undefined(found: dict[str, float], spec: DatasetSpec, prefix: str, part: str) -> str | None:
    """Return a sentence about the exact metrics that a split does not define, None where it defines all.

    Args:
        found: Those that it does, by name.
        spec: What the data is.
        prefix: Of the names in a result, such as "test_".
        part: What the split is called, such as "test".
    """
    task = task_named(spec.task)
    missing = [f"{prefix}{name}" for name in task.exact_names(spec) if name not in found]
    if not missing or not found:  # the model gives no numbers, or there is nothing to compare them with
        return None
    return f"without {', '.join(missing)}, which the {part} part does not define: {task.undefined}."


def epoch_measure(
    model: keras.Model, data: Dataset, objective: Objective, names: Sequence[str]
) -> Callable[[int], dict[str, float]]:
    """Return what measures some exact metrics of the validation data, NaN where the model gives no numbers.

    It takes the number of samples per call of the model.

    Args:
        model: That is trained.
        data: As it takes it.
        objective: What it is trained for.
        names: With "val_" before them; none: nothing is measured.
    """
    if not names:
        return lambda batch_size: {}
    split, logits = data.validation, objective.from_logits
    assert split is not None

    def measure(batch_size: int) -> dict[str, float]:
        found = exact_metrics(
            model, split, data.spec, from_logits=logits, batch_size=batch_size, fits=True
        ).values
        return {name: found.get(name, math.nan) for name in (name.removeprefix("val_") for name in names)}

    return measure


def check_defined(model: keras.Model, data: Dataset, objective: Objective, names: Sequence[str]) -> None:
    """Refuse exact metrics to go by that the validation data does not define.

    Raises:
        InputError: It does not define one.
    """
    found = epoch_measure(model, data, objective, names)(_BATCH)
    missing = [f"val_{name}" for name, value in found.items() if math.isnan(value)]
    if missing and _is_finite(model, data):
        raise InputError(
            f"{missing[0]} cannot be gone by: the validation data does not define it, since "
            f"{task_named(objective.task).undefined}; go by another metric, or hold out more."
        )


def _is_finite(model: keras.Model, data: Dataset) -> bool:
    assert data.validation is not None
    outputs = raw_outputs(model, data.validation.inputs, _BATCH, data.spec.input_structure)
    return all(np.isfinite(array).all() for array in leaves(outputs))

"""The final metrics of a run: of the trained model, of what is compared with it, and of what it infers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from kexp.data import DatasetSpec, Split
from kexp.data.splits import in_memory
from kexp.engine.base import Engine
from kexp.engine.engine_choice import backend
from kexp.metrics.intervals import Interval
from kexp.run.inference import raw_outputs
from kexp.run.split_metrics import exact_metrics, undefined
from kexp.run.training_setup import TrainingSetup
from kexp.train.objectives import Supervised
from kexp.train.objectives.compiled import Compiled
from kexp.train.position import Position


def evaluate_run(
    setup: TrainingSetup, engine: Engine, position: Position, *, again: bool = False
) -> dict[str, float]:
    """Return the metrics of the chosen epoch, and of its weights on the test split.

    Args:
        setup: Of a run that is trained.
        engine: That trained it.
        position: At its end.
        again: Whether the weights are measured on the validation split too, where they are others than then.
    """
    metrics = dict(position.history[(position.best_epoch or len(position.history)) - 1])
    measured = {"val_": setup.data.validation if again else None, "test_": setup.data.test}
    for prefix, split in measured.items():
        if split is not None:
            found = engine.measure(split, setup.data.train, position.batch_size)
            metrics.update({f"{prefix}{name}": value for name, value in found.items()})
    return metrics


class Judged(NamedTuple):
    """The exact metrics of a trained model, on all of the validation and of the test split.

    Attributes:
        metrics: By name, with "val_" or "test_" before it.
        intervals: The 95 % intervals of those that have one.
        spec: With what is chosen by them, such as the thresholds of labels.
        notes: What to say of them.
        predictions: Of the test part, or without one of the validation part, by name.
    """

    metrics: dict[str, float]
    intervals: dict[str, Interval]
    spec: DatasetSpec
    notes: tuple[str, ...] = ()
    predictions: Mapping[str, np.ndarray] = MappingProxyType({})


def judged(setup: TrainingSetup, batch_size: int) -> Judged:
    """Return the exact metrics of the trained model, and the spec with what is chosen by them.

    The metrics are those that people judge the task by, on all of the validation and of the test split. What
    is chosen, such as the thresholds of labels, is chosen on the validation split.
    """
    spec, notes = setup.raw.spec, []
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    predictions: Mapping[str, np.ndarray] = {}
    if not isinstance(setup.objective, Supervised | Compiled):
        return Judged(metrics, intervals, spec)
    for prefix, part in (("val_", "validation"), ("test_", "test")):
        split = getattr(setup.data, part)
        if split is None:
            continue
        found, spec, between, predictions = exact_metrics(
            setup.model,
            split,
            spec,
            from_logits=setup.objective.from_logits,
            batch_size=batch_size,  # what is known to fit into memory
            fits=part == "validation",
            intervals=True,
        )
        metrics |= {f"{prefix}{name}": value for name, value in found.items()}
        intervals |= {f"{prefix}{name}": value for name, value in between.items()}
        notes.append(undefined(found, spec, prefix, part))
    said = tuple(note for note in notes if note is not None)
    return Judged(metrics, intervals, spec, said, predictions)


def baseline_metrics(setup: TrainingSetup) -> dict[str, float]:
    """Return the metrics of baselines, which are not trained, by split and name."""
    metrics = {}
    for prefix, split in _measured_splits(setup):
        for name, baseline in setup.baselines.items():
            outputs = baseline(in_memory(split).inputs)
            measured = backend().measure_outputs(setup.objective, split.targets, outputs)
            metrics.update({f"{prefix}_{name}_{metric}": value for metric, value in measured.items()})
    return metrics


def inference_metrics(setup: TrainingSetup) -> dict[str, float]:
    """Return the metrics of what the inference model gives, by split and name."""
    metrics: dict[str, float] = {}
    if setup.inference_model is None or not setup.final_metrics:
        return metrics
    for prefix, split in _measured_splits(setup):
        outputs = raw_outputs(setup.inference_model, split.inputs, 256)
        for name, metric in setup.final_metrics.items():
            measured = metric(split, outputs)
            endings = measured if isinstance(measured, Mapping) else {"": measured}
            metrics.update({f"{prefix}_{name}{ending}": float(value) for ending, value in endings.items()})
    return metrics


def _measured_splits(setup: TrainingSetup) -> list[tuple[str, Split]]:
    """Return the raw splits that a trained model is measured on, by the prefix of their metrics."""
    splits = (("val", setup.raw.validation), ("test", setup.raw.test))
    return [(prefix, split) for prefix, split in splits if split is not None]

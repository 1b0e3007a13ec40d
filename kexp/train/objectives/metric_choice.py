"""Metrics that a caller chooses: Keras's by their names, functions, and metric objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras

from kexp.core.errors import InputError, nearest, shown
from kexp.tasks import Task

MetricLike: TypeAlias = "keras.metrics.Metric | str | Callable[[Any, Any], Any]"
_ACCURACY = ("accuracy", "acc")


def as_metrics(chosen: Sequence[MetricLike], task: Task) -> tuple[keras.metrics.Metric, ...]:
    """Return Keras metric objects of what a caller chose.

    Args:
        chosen: Metric objects, Keras's names of metrics, and functions of targets and outputs. "accuracy" is
            that of the task, as Keras takes it to be that of the outputs.
        task: What the targets are.

    Raises:
        InputError: One is none of these, or two have one name.

    Example:
        >>> from kexp.tasks import task_named
        >>> [metric.name for metric in as_metrics(["accuracy", "AUC"], task_named("classification"))]
        ['accuracy', 'AUC']
        >>> as_metrics(["acuracy"], task_named("classification"))
        Traceback (most recent call last):
        ...
        kexp.InputError: metrics must be Keras metrics, their names or functions; received 'acuracy' (did you
        mean 'accuracy' or ...
    """
    metrics = tuple(_metric(one, task) for one in chosen)
    names = ["loss", *(metric.name for metric in metrics)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"metrics must have names of their own, and {shown(name)} is taken; give one of them another "
                "name."
            )
    return metrics


def result_counts(metric: keras.metrics.Metric, outputs: int) -> int | None:
    """Return how many values a metric of Keras's gives, None for those that give one.

    Args:
        metric: A metric.
        outputs: Number of classes, labels or numbers.

    Example:
        >>> result_counts(keras.metrics.F1Score(), 3), result_counts(keras.metrics.AUC(), 3)
        (3, None)
    """
    if isinstance(metric, keras.metrics.FBetaScore) and metric.average is None:
        return outputs
    thresholds = getattr(metric, "thresholds", None)
    several = isinstance(thresholds, list | tuple) and len(thresholds) > 1 and _gives_each(metric)
    return len(thresholds) if several else None  # type: ignore[arg-type]


def _gives_each(metric: keras.metrics.Metric) -> bool:
    kinds = (keras.metrics.Precision, keras.metrics.Recall)
    counts = (
        *(keras.metrics.TruePositives, keras.metrics.TrueNegatives),
        *(keras.metrics.FalsePositives, keras.metrics.FalseNegatives),
    )
    return isinstance(metric, (*kinds, *counts))


def _metric(chosen: MetricLike, task: Task) -> keras.metrics.Metric:
    if isinstance(chosen, keras.metrics.Metric):
        return chosen
    if isinstance(chosen, str):
        return _named(chosen, task)
    if isinstance(chosen, type) and issubclass(chosen, keras.metrics.Metric):
        return chosen()
    if not callable(chosen) or isinstance(chosen, type | keras.Layer | keras.losses.Loss):
        raise InputError(
            f"metrics must be Keras metrics, their names or functions; received {shown(chosen)}."
        )
    name = getattr(chosen, "__name__", type(chosen).__name__)
    if getattr(chosen, "__module__", "").startswith("keras."):
        return _named(name, task)  # Keras's function of a metric that it has as an object
    return keras.metrics.MeanMetricWrapper(chosen, name=name)


def _named(name: str, task: Task) -> keras.metrics.Metric:
    if name.lower() in _ACCURACY:
        return task.accuracy(name)
    try:
        metric = keras.metrics.get(name)
    except ValueError:
        metric = None
    if not isinstance(metric, keras.metrics.Metric):
        known = [
            *_ACCURACY,
            *(one for one in dir(keras.metrics) if isinstance(getattr(keras.metrics, one), type)),
        ]
        raise InputError(
            f"metrics must be Keras metrics, their names or functions; received {shown(name)}"
            f"{nearest(name, known)}."
        )
    metric.name = name
    return metric

"""Weights of the classes in the loss of a compiled model, as weights of the samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from kexp.core.errors import InputError
from kexp.data.array_specs import MOST_SIZE
from kexp.data.batch_feed import FedSplit, weights_by_class
from kexp.data.dataset import Dataset, DatasetSpec, Split, class_names
from kexp.run.fit_checks import require_weights
from kexp.tasks import task_named


def by_class(asked: Literal["balanced"] | tuple[float, ...], split: Split) -> dict[int, float]:
    """Return the weights of the training option `class_weight` by class.

    Raises:
        InputError: There are several outputs, or not as many weights as classes.
    """
    if isinstance(split.targets, Mapping):
        raise InputError(
            "class_weight must be weights by output and class where a model has several outputs; received "
            f"{asked!r}, so give such as {{{next(iter(split.targets))!r}: {{0: 1.0, 1: 2.0}}}}."
        )
    if isinstance(split, FedSplit):
        if asked == "balanced":
            raise InputError(
                f"class_weight 'balanced' is for data in memory, whose labels can be counted; give the "
                f"weights of the classes beside a {split.feed.noun}."
            )
        return dict(enumerate(asked))
    labels = _labels(split.targets)
    classes = int(labels.max()) + 1
    if asked == "balanced":
        return dict(enumerate(_balanced(labels, classes).tolist()))
    if len(asked) < classes:
        raise InputError(
            f"class_weight must have a weight for each of the {classes} classes; received {len(asked)}."
        )
    return dict(enumerate(asked))


def checked_class_weight(asked: Literal["balanced"] | tuple[float, ...], data: Dataset) -> np.ndarray:
    """Return the weights of the training option `class_weight` as (classes,) float32.

    Raises:
        InputError: The data has no labels, or there are not as many weights as classes.
    """
    if not task_named(data.spec.task).has_labels:
        raise InputError(
            f"class_weight is for classification; {data.name} is for {data.spec.task}, so leave it out."
        )
    if asked == "balanced":
        return _balanced(data.train.targets, data.spec.outputs).astype(np.float32)
    if len(asked) != data.spec.outputs:
        raise InputError(
            f"class_weight must have a weight for each of the {data.spec.outputs} classes of {data.name}; "
            f"received {len(asked)}."
        )
    weights = require_weights("class_weight", np.asarray(asked, np.float64))
    require_weights("class_weight of the training samples", weights[data.train.targets])
    return weights


def of_all_classes(weights: Mapping[Any, Any], spec: DatasetSpec) -> tuple[float, ...]:
    """Return the weight of each class of a data set, 1 for those that a mapping does not name.

    Args:
        weights: By class index, or by class name.
        spec: The data.

    Raises:
        InputError: The data has no such class, or a weight is no number of 0 or more.

    Example:
        >>> spec = DatasetSpec("array", (4,), "float32", "classification", 3, ("a", "b", "c"))
        >>> of_all_classes({"b": 2.0, 2: 0.5}, spec)
        (1.0, 2.0, 0.5)
    """
    places: dict[Any, int] = {name: place for place, name in enumerate(class_names(spec))}
    places |= {place: place for place in range(spec.outputs)}
    unknown = [label for label in weights if isinstance(weights[label], Mapping) or label not in places]
    if unknown:
        raise InputError(
            f"class_weight must be weights of the classes {', '.join(class_names(spec)[:12])}, or of their "
            f"indices; received {unknown[0]!r}."
        )
    numbers = _numbers({places[label]: weight for label, weight in weights.items()}, "class_weight")
    found = tuple(numbers.get(place, 1.0) for place in range(spec.outputs))
    require_weights("class_weight", np.asarray(found))
    return found


def _balanced(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return (classes,) weights by which all classes count alike."""
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    return len(labels) / (counts * classes)


def _labels(targets: np.ndarray) -> np.ndarray:
    """Return class indices of targets that are such, or one-hot."""
    if targets.ndim == 2 and targets.shape[1] > 1:
        return targets.argmax(axis=1)
    if targets.size != len(targets) or (targets != np.round(targets)).any() or targets.min() < 0:
        raise InputError(
            f"class_weight is for targets that are class indices; received shape {targets.shape} of "
            f"{targets.dtype}."
        )
    return targets.reshape(len(targets)).astype(np.int64)


def weighted(split: Split, class_weight: Mapping[Any, Any], place: str = "class_weight") -> Split:
    """Return a part whose samples have the weights of their classes.

    Args:
        split: Targets are class indices or one-hot, or such by output.
        class_weight: Weight by class, or by output and class.
        place: For messages.

    Raises:
        InputError: There are sample weights already, or no such classes.
    """
    if split.sample_weight is not None:
        raise InputError("sample_weight and class_weight exclude each other; give one of them.")
    nested = [name for name, value in class_weight.items() if isinstance(value, Mapping)]
    if not isinstance(split.targets, Mapping):
        if nested:
            raise InputError(
                f"{place} must be a weight by class; received {nested[0]!r}, and there is one output."
            )
        table = _table(class_weight, place)
        return _with_weights(split, table, _of_samples(split.targets, table), place)
    if len(nested) != len(class_weight) or not set(class_weight) <= set(split.targets):
        raise InputError(
            f"{place} must be weights by output, of {', '.join(split.targets)}, and class; received "
            f"{', '.join(map(repr, class_weight))}."
        )
    tables = {name: _table(class_weight.get(name, {}), f"{place} of {name!r}") for name in split.targets}
    weights = {
        name: _of_samples(targets, tables[name])
        if name in class_weight
        else np.ones(len(targets), np.float32)
        for name, targets in split.targets.items()
    }
    return _with_weights(split, tables, weights, place)


def _with_weights(split: Split, tables: Any, weights: Any, place: str) -> Split:
    if isinstance(split, FedSplit):  # what is in memory is a batch, which may well count for nothing
        return replace(split, class_weights=tables, sample_weight=weights)
    for name, of_output in weights.items() if isinstance(weights, dict) else [("", weights)]:
        require_weights(f"{place} of {name!r}" if name else place, of_output)
    return replace(split, sample_weight=weights)


def _of_samples(targets: np.ndarray, table: np.ndarray) -> np.ndarray:
    return weights_by_class(table, _labels(targets))


def _table(weights: Mapping[Any, Any], place: str) -> np.ndarray:
    """Return (classes + 1,) weights, the last of which is that of classes that are not named."""
    numbers = _numbers(weights, place)
    return np.array([numbers.get(label, 1.0) for label in range(max(numbers, default=-1) + 2)], np.float32)


def _numbers(weights: Mapping[Any, Any], place: str) -> dict[int, float]:
    try:
        numbers = {int(label): float(weight) for label, weight in weights.items()}
    except (TypeError, ValueError):
        raise InputError(f"{place} must be numbers by class index; received {dict(weights)!r}.") from None
    if any(not 0 <= label <= MOST_SIZE for label in numbers):
        raise InputError(f"{place} must be by class index, 0 or more; received {dict(weights)!r}.")
    if any(not np.isfinite(weight) or weight < 0 for weight in numbers.values()):
        raise InputError(f"{place} must be finite numbers of 0 or more; received {dict(weights)!r}.")
    return numbers

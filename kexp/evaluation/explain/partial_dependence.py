"""Partial dependence: the mean prediction when one column has a certain value in all samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kexp.data.dataset import Inputs, sample_count
from kexp.data.dataset import class_names as names_of
from kexp.evaluation.explain.explained_model import ExplainedModel
from kexp.evaluation.explain.permutation_importance import column_names
from kexp.tasks import task_named
from kexp.tasks.predictions import Predictions

_MOST_OUTPUTS = 4
_MOST_CATEGORIES = 12


@dataclass(frozen=True)
class PartialDependence:
    """The mean prediction over samples, by the value of one column.

    Attributes:
        column: Its name.
        values: (values,) float64, or strings of categories.
        outputs: Names of the classes or targets, 4 at most.
        means: (outputs, values) mean probabilities, or mean values.
    """

    column: str
    values: np.ndarray
    outputs: tuple[str, ...]
    means: np.ndarray


def partial_dependence(
    explained: ExplainedModel, inputs: Inputs, columns: Sequence[str], *, points: int = 15
) -> tuple[PartialDependence, ...]:
    """Return the mean prediction for each of some values of some columns, the others being as they are.

    Values of numbers are evenly taken from the 5th to the 95th hundredth of those in the samples; beyond
    them the model was hardly trained. Columns that hang together are torn apart by this.

    Source: Friedman 2001, "Greedy Function Approximation: A Gradient Boosting Machine".

    Args:
        explained: A model of a table or of an array of (samples, columns).
        inputs: Samples, 300 or so.
        columns: Names, as of `column_names`.
        points: Values of a column, default 15.
    """
    known = column_names(explained.spec, inputs)
    found = []
    for column in columns:
        values = _values(inputs, known.index(column), points)
        if values is not None and len(values) > 1:
            found.append(_dependence(explained, inputs, column, known.index(column), values))
    return tuple(found)


def _values(inputs: Inputs, place: int, points: int) -> np.ndarray | None:
    column = np.asarray(list(inputs.values())[place] if isinstance(inputs, Mapping) else inputs[:, place])
    if column.ndim != 1:
        return None
    if column.dtype.kind not in "iuf":
        names, counts = np.unique(column.astype(str), return_counts=True)
        return names[np.sort(np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES])]
    known = column[np.isfinite(column)].astype(np.float64)
    if not len(known):
        return None
    every = np.unique(known)
    if len(every) <= points:
        return every
    low, high = np.quantile(known, (0.05, 0.95))
    return np.linspace(low, high, points)


def _dependence(
    explained: ExplainedModel, inputs: Inputs, column: str, place: int, values: np.ndarray
) -> PartialDependence:
    means = np.stack([_mean(explained, _set(inputs, place, value)) for value in values], axis=1)
    task = task_named(explained.spec.task)
    spec = explained.spec
    names = names_of(spec) if task.has_logits else spec.target_names or (spec.target,) * len(means)
    # Of two classes one says all; of many those that change most.
    if task.has_labels and len(names) == 2:
        chosen = np.array([1])
    else:
        chosen = np.sort(np.argsort(-np.ptp(means, axis=1), kind="stable")[:_MOST_OUTPUTS])
    return PartialDependence(column, values, tuple(names[index] for index in chosen), means[chosen])


def _mean(explained: ExplainedModel, inputs: Inputs) -> np.ndarray:
    outputs = explained.outputs(inputs)
    given = Predictions.from_outputs(outputs, explained.spec, from_probabilities=not explained.from_logits)
    numbers = given.probabilities if given.probabilities is not None else outputs
    return np.asarray(numbers, np.float64).reshape(sample_count(inputs), -1).mean(axis=0)


def _set(inputs: Inputs, place: int, value: object) -> Inputs:
    if isinstance(inputs, Mapping):
        name = list(inputs)[place]
        column = np.asarray(inputs[name])
        return {**inputs, name: np.full(column.shape, value, column.dtype)}
    changed = np.array(inputs)
    changed[:, place] = value
    return changed

"""Permutation importance: what a model loses when the values of one column are dealt out anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kexp.data import DatasetSpec, Split
from kexp.data.dataset import Inputs
from kexp.evaluation.explain.explained_model import ExplainedModel
from kexp.tasks import task_named
from kexp.tasks.class_choice import class_probabilities

_MOST_COLUMNS = 100


@dataclass(frozen=True)
class PermutationImportance:
    """What a model loses by each column, the most important first.

    Attributes:
        metric: "accuracy", or "R²" of numbers.
        base: The metric with all columns as they are.
        columns: Names.
        means: Of each column, how much the metric falls; about 0 or below where it is not needed.
        deviations: Of each column, over the repeats.
        samples: On which it was measured.
        left_out: Columns beyond the first 100, which were not looked at.
    """

    metric: Literal["accuracy", "R²"]
    base: float
    columns: tuple[str, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    samples: int
    left_out: int = 0


def permutation_importance(
    explained: ExplainedModel, split: Split, *, repeats: int = 5, seed: int = 0
) -> PermutationImportance | None:
    """Return how much a metric falls when one column, or one of several inputs, is shuffled among samples.

    Columns that say the same stand in for one another, so that both may seem unimportant.

    Source: Breiman 2001, "Random Forests"; Fisher, Rudin and Dominici 2019, "All Models are Wrong, but Many
    are Useful".

    Args:
        explained: A model of a table, of an array of (samples, columns), or of several inputs.
        split: Samples with targets that the model was not fitted to.
        repeats: Shufflings of each column, default 5.
        seed: Of the shufflings, default 0.

    Returns:
        The importance, or None for other inputs, and for targets that are neither classes nor numbers.
    """
    task, columns = task_named(explained.spec.task), column_names(explained.spec, split.inputs)
    plain = isinstance(split.targets, np.ndarray) and len(split.targets) > 1
    if len(columns) < 2 or not plain or not (task.has_labels or task.has_residuals):
        return None
    generator = np.random.default_rng(seed)
    base = _metric(explained, split.inputs, split.targets)
    falls = []
    for column in range(min(len(columns), _MOST_COLUMNS)):
        orders = [generator.permutation(len(split)) for _ in range(repeats)]
        falls.append(
            [base - _metric(explained, shuffled(split.inputs, column, one), split.targets) for one in orders]
        )
    means, deviations = np.mean(falls, axis=1), np.std(falls, axis=1)
    order = np.argsort(-means, kind="stable")
    return PermutationImportance(
        "accuracy" if task.has_labels else "R²",
        base,
        tuple(columns[index] for index in order),
        tuple(map(float, means[order])),
        tuple(map(float, deviations[order])),
        len(split),
        max(len(columns) - _MOST_COLUMNS, 0),
    )


def column_names(spec: DatasetSpec, inputs: Inputs) -> tuple[str, ...]:
    """Return the names of the columns of a table or of several inputs, the numbers of a matrix's; else none.

    Example:
        >>> column_names(DatasetSpec("array", (2,), "float32", "regression", 1), np.zeros((3, 2)))
        ('number 0', 'number 1')
    """
    if isinstance(inputs, Mapping):
        return tuple(inputs)
    if inputs.ndim != 2 or inputs.dtype.kind not in "iuf":
        return ()
    named = len(spec.columns) == inputs.shape[1]
    return tuple(spec.columns[place].name if named else f"number {place}" for place in range(inputs.shape[1]))


def shuffled(inputs: Inputs, column: int, order: np.ndarray) -> Inputs:
    """Return inputs with the values of one column in another order."""
    if isinstance(inputs, Mapping):
        name = list(inputs)[column]
        return {**inputs, name: np.asarray(inputs[name])[order]}
    changed = np.array(inputs)
    changed[:, column] = changed[order, column]
    return changed


def _metric(explained: ExplainedModel, inputs: Inputs, targets: np.ndarray) -> float:
    outputs, task = explained.outputs(inputs), task_named(explained.spec.task)
    if task.has_labels:
        shares = class_probabilities(outputs, not explained.from_logits)
        return float((shares.argmax(axis=-1) == targets).mean())
    if outputs.size != targets.size:  # of quantiles the medians
        outputs = task.named_predictions(outputs, explained.spec)["values"]
    truth = targets.reshape(outputs.shape).astype(np.float64)
    spread = ((truth - truth.mean(axis=0)) ** 2).sum()
    return float(1 - ((truth - outputs) ** 2).sum() / max(spread, 1e-12))

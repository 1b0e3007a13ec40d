"""Linear probes: how well a linear model reads the target off what there is at each depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kexp.data import Split
from kexp.data.dataset import sample_count
from kexp.data.splits import in_memory, taken
from kexp.evaluation.explain.depth import depths, pooled_activations
from kexp.evaluation.explain.explained_model import ExplainedModel
from kexp.tasks import task_named


@dataclass(frozen=True)
class LayerProbe:
    """The scores of linear models, one for each depth of a network.

    Attributes:
        metric: "accuracy", or "R²" of numbers.
        layers: Names of the layers, from the input to the output.
        scores: Of each layer on validation samples.
        chance: Of a constant prediction.
        train_samples: Samples that the linear models were fitted to.
        validation_samples: Samples that they were measured on; none of them are test samples.
    """

    metric: Literal["accuracy", "R²"]
    layers: tuple[str, ...]
    scores: tuple[float, ...]
    chance: float
    train_samples: int
    validation_samples: int


def layer_probe(
    explained: ExplainedModel,
    train: Split,
    validation: Split,
    *,
    most_layers: int = 12,
    train_samples: int = 1000,
    validation_samples: int = 500,
    seed: int = 0,
) -> LayerProbe | None:
    """Return how well a ridge regression reads the target off each layer's activations.

    Activations are averaged over neighbouring positions until there are at most 1,024 numbers (or as many as
    channels), then standardised. The strength of the penalty is chosen on the training samples.

    Source: Alain and Bengio 2017, "Understanding intermediate layers using linear classifier probes".

    Args:
        explained: The model.
        train: Training part.
        validation: Another part, never the test part.
        most_layers: Depths, evenly taken, 2 or more, default 12.
        train_samples: Most training samples, default 1,000, drawn by chance.
        validation_samples: Most validation samples, default 500, drawn by chance.
        seed: Of the draws, default 0.

    Returns:
        The scores, or None where targets are neither classes nor numbers.
    """
    task = task_named(explained.spec.task)
    if not (task.has_labels or task.has_residuals) or not _are_plain(train.targets):
        return None
    few, others = drawn(train, train_samples, seed), drawn(validation, validation_samples, seed)
    points = depths(explained, few.inputs, most_layers)
    fitted_to = pooled_activations(explained, few.inputs, points)
    measured_on = pooled_activations(explained, others.inputs, points)
    pairs = zip(fitted_to, measured_on, strict=True)
    scores = [
        _score(one, few.targets, other, others.targets, classes=task.has_labels) for one, other in pairs
    ]
    return LayerProbe(
        "accuracy" if task.has_labels else "R²",
        tuple(point.name for point in points),
        tuple(scores),
        _chance(few.targets, others.targets) if task.has_labels else 0.0,
        len(few),
        len(others),
    )


def drawn(split: Split, samples: int, seed: int = 0) -> Split:
    """Return some samples of a part, drawn by chance, in their order and in memory."""
    count = sample_count(split.inputs)
    if count <= samples:
        return in_memory(taken(split, np.arange(count)))
    return in_memory(taken(split, np.sort(np.random.default_rng(seed).choice(count, samples, replace=False))))


def _are_plain(targets: Any) -> bool:
    return isinstance(targets, np.ndarray) and targets.ndim <= 2 and targets.dtype.kind in "iuf"


def _score(
    train: np.ndarray, targets: np.ndarray, other: np.ndarray, truth: np.ndarray, *, classes: bool
) -> float:
    from sklearn.linear_model import RidgeClassifierCV, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if classes and len(np.unique(targets)) < 2:
        return float((truth == targets[0]).mean())
    kind = RidgeClassifierCV if classes else RidgeCV
    probe = make_pipeline(StandardScaler(), kind(alphas=np.logspace(0, 5, 6)))
    return float(probe.fit(train.astype(np.float64), targets).score(other.astype(np.float64), truth))


def _chance(targets: np.ndarray, truth: np.ndarray) -> float:
    values, counts = np.unique(targets, return_counts=True)
    return float((truth == values[counts.argmax()]).mean())

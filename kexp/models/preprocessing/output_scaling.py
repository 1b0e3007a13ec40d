"""What a model's last layer has to know of the targets."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from kexp.data import Dataset
from kexp.data.targets import target_kinds

__all__ = ["member_mean", "output_scaling"]


def output_scaling(data: Dataset) -> dict[str, Any]:
    """Return the builders' `output_scale` and `output_offset` for a data set.

    Args:
        data: What to train on; for regression the deviation and the mean of its training targets.

    Returns:
        Keyword arguments of a builder; none for classification.

    Example:
        >>> import kexp
        >>> output_scaling(kexp.data.load("iris"))
        {}
        >>> [round(value) for value in output_scaling(kexp.data.load("diabetes"))["output_offset"]]
        [151]
    """
    if not target_kinds()[data.spec.task].has_scale:
        return {}
    targets = data.train.targets
    with np.errstate(over="ignore"):
        scale = targets.std(axis=0)
    # Squares of numbers above 1e19 are too large for 32 bits; others keep the digits that they had in 0.1.
    if not np.isfinite(scale).all():
        scale = targets.std(axis=0, dtype=np.float64)
    return {"output_scale": scale.tolist(), "output_offset": targets.mean(axis=0).tolist()}


def member_mean(data: Dataset) -> Literal["values", "classes", "labels"]:
    """Return what the mean of an ensemble's predictions is taken of, as `MemberMean` and `tabm` take it.

    Args:
        data: What to train on: a table or samples with classes, labels or numbers as targets.

    Returns:
        "values" for numbers; "classes" or "labels" for logits of either, whose probabilities have a mean.

    Example:
        >>> import kexp
        >>> [member_mean(kexp.data.load(name)) for name in ("iris", "diabetes")]
        ['classes', 'values']
    """
    targets = target_kinds()[data.spec.task]
    if targets.has_scale:
        return "values"
    return "classes" if targets.has_labels else "labels"

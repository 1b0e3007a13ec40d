"""What a model's last layer has to know of the targets."""

from __future__ import annotations

from typing import Any

from kexp.data import Dataset
from kexp.data.targets import target_kinds

__all__ = ["output_scaling"]


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
    return {"output_scale": targets.std(axis=0).tolist(), "output_offset": targets.mean(axis=0).tolist()}

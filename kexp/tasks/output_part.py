"""A part of what a model gives that is measured by itself: one of several outputs, or of several targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from kexp.data.dataset import DatasetSpec, Split


class OutputPart(NamedTuple):
    """One of the parts of a model's answers.

    Attributes:
        name: Of the output or the target.
        spec: What the data is, with this one alone.
        metric: Its name with that of the part, as metrics of the whole model have it.
        split: From a part of the data to what this one is made from and compared with.
        predictions: From those of the model to its own, by the names of its task.
    """

    name: str
    spec: DatasetSpec
    metric: Callable[[str], str]
    split: Callable[[Split], Split]
    predictions: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]

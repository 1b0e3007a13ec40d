"""The plan of a fit: all that `kexp.fit` is given but its training options, in one piece."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.data import Dataset, Split
from kexp.train.objectives import Objective

if TYPE_CHECKING:
    import keras

FinalMetric = Callable[[Split, Any], float | Mapping[str, float]]
Baselines = Mapping[str, Callable[[Any], np.ndarray]]


@dataclass(frozen=True)
class FitPlan:
    """What is trained, on what and how it is measured; the attributes are the arguments of `kexp.fit`."""

    model: keras.Model
    data: Dataset
    objective: Objective | None = None
    preprocessing: keras.Model | None = None
    target_preprocessing: keras.Model | None = None
    inference_model: keras.Model | None = None
    final_metrics: Mapping[str, FinalMetric] = field(default_factory=dict)
    loss: keras.losses.Loss | str | None = None
    metrics: Sequence[keras.metrics.Metric] | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()
    augmentation: Sequence[keras.layers.Layer] = ()
    sample_weight: np.ndarray | None = None
    baselines: Baselines = field(default_factory=dict)

    @property
    def model_name(self) -> str:
        """Name of the model without the number that Keras gives to the second one in a process."""
        return re.sub(r"_\d+$", "", self.model.name)

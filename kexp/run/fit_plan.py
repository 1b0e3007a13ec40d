"""The plan of a fit: all that `kexp.fit` is given but its training options, in one piece."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.structures import Structure
from kexp.core.types import Nest
from kexp.data import Dataset, Split
from kexp.train.objectives import Objective
from kexp.train.objectives.metric_choice import MetricLike
from kexp.train.phases import Phase

if TYPE_CHECKING:
    import keras

FinalMetric = Callable[[Split, Any], float | Mapping[str, float]]
Baselines = Mapping[str, Callable[[Any], np.ndarray]]


@dataclass(frozen=True)
class GivenData:
    """What `kexp.fit` is given in place of a data set, by the names of its arguments.

    Attributes:
        validation: The training option of that name, where the caller gave it; else 0.
        by_task: Whether `kexp.data.load` says what the targets are, rather than a loss.
    """

    x: Nest
    y: Nest = None
    sample_weight: Nest = None
    validation_data: Nest = None
    validation_split: float = 0.0
    validation: float = 0.0
    by_task: bool = False

    @property
    def name(self) -> str:
        """What the data are called in records."""
        if isinstance(self.x, str):
            return self.x
        return "arrays" if self.y is not None else type(self.x).__name__


@dataclass(frozen=True)
class EpochOptions:
    """What the epochs of a fit are, by the names of Keras's arguments.

    Attributes:
        steps: Steps of an epoch; None: as many as take all data.
        shuffle: Whether each epoch has an order of its own.
        first: The first epoch, from 0.
        validation_freq: After every so many epochs, or after those of these numbers, there is a validation.
        validation_steps: Batches to validate on, of data that come in batches; None: all.
    """

    steps: int | None = None
    shuffle: bool = True
    first: int = 0
    validation_freq: int | Sequence[int] = 1
    validation_steps: int | None = None


@dataclass(frozen=True)
class FitPlan:
    """What is trained, on what and how it is measured; the attributes are the arguments of `kexp.fit`.

    Attributes:
        given: What there is in place of a data set.
        class_weight: By class, or by output and class; the training option takes other forms.
        epochs: What the epochs are.
        phases: What the training is divided into; (): nothing.
        inputs: The nest in which the model takes its inputs, with their names.
        targets: That of its targets; None where there are none.
    """

    model: keras.Model
    data: Dataset | None
    objective: Objective | None = None
    preprocessing: keras.Model | None = None
    target_preprocessing: keras.Model | None = None
    inference_model: keras.Model | None = None
    final_metrics: Mapping[str, FinalMetric] = field(default_factory=dict)
    loss: keras.losses.Loss | str | None = None
    metrics: Sequence[MetricLike] | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()
    augmentation: Sequence[keras.layers.Layer] = ()
    sample_weight: np.ndarray | None = None
    baselines: Baselines = field(default_factory=dict)
    given: GivenData | None = None
    class_weight: Mapping[Any, Any] | None = None
    optimizer: keras.optimizers.Optimizer | None = None
    learning_rate: keras.optimizers.schedules.LearningRateSchedule | None = None
    epochs: EpochOptions = field(default_factory=EpochOptions)
    phases: Sequence[Phase] = ()
    inputs: Structure = "input"
    targets: Structure = "target"

    @property
    def as_compiled(self) -> bool:
        """Whether the model trains with what it was compiled with."""
        return bool(self.model.compiled) and self.objective is None

    @property
    def data_name(self) -> str:
        """Name of the data, which may not be there yet."""
        if self.given is not None:
            return self.given.name
        assert self.data is not None
        return self.data.name

    @property
    def model_name(self) -> str:
        """Name of the model without the number that Keras gives to the second one in a process."""
        return re.sub(r"_\d+$", "", self.model.name)

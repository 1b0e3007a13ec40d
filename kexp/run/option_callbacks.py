"""The callbacks that training options stand for."""

from __future__ import annotations

import keras

from kexp.core.keras_private import inner_optimizer
from kexp.core.options import TrainOptions
from kexp.data import Dataset, Stream
from kexp.tasks import task_named
from kexp.train.callbacks import ExponentialAverage, Plateau, StochasticWeightAveraging
from kexp.train.objectives import Objective


def averages(optimizer: keras.optimizers.Optimizer | None) -> bool:
    """Return whether an optimizer of the caller's computes a moving average of the weights."""
    return bool(getattr(inner_optimizer(optimizer), "use_ema", False))


def callbacks_of(
    options: TrainOptions,
    data: Dataset,
    objective: Objective,
    optimizer: keras.optimizers.Optimizer | None,
) -> list[keras.callbacks.Callback]:
    """Return the callbacks of training options: those that follow a schedule or average the weights.

    Args:
        options: Complete training options.
        data: What is trained on, as the model takes it.
        objective: What a step minimises.
        optimizer: The caller's own, which may average the weights too; None: that of the options.
    """
    callbacks: list[keras.callbacks.Callback] = []
    makes_samples = task_named(objective.task).makes_samples
    if options["schedule"] == "plateau":
        # The loss of a model that makes samples says little or nothing of them.
        callbacks.append(Plateau(objective.monitor, mode="min") if makes_samples else Plateau())
    if options["ema"] is not None or averages(optimizer):
        callbacks.append(ExponentialAverage())
    if options["swa"] is not None:
        start = round(options["swa"] * options["epochs"])
        # Of a stream, the sample in memory says too little about the statistics of batch normalisation, and
        # what makes images does not take any.
        unknown = isinstance(data.train, Stream) or makes_samples
        inputs = None if unknown else data.train.inputs
        callbacks.append(StochasticWeightAveraging(start, inputs=inputs))
    return callbacks

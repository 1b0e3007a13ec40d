"""The running metrics of an objective: those that a model was compiled with, or those of its outputs."""

from __future__ import annotations

from typing import Any, TypeAlias

import keras

from kexp.engine.tensorflow.compiled_metrics import CompiledMetrics
from kexp.engine.tensorflow.metric_accumulator import MetricAccumulator
from kexp.train.objectives import Objective
from kexp.train.objectives.compiled import Compiled

RunningMetrics: TypeAlias = MetricAccumulator | CompiledMetrics


def running_metrics(objective: Objective, model: keras.Model, sample: Any, *, shared: bool) -> RunningMetrics:
    """Return what keeps loss and metrics over the batches of an epoch.

    Args:
        objective: What is measured.
        model: That is measured.
        sample: Inputs and targets of one sample, by which metrics make their variables; None: they make them
            at the first batch.
        shared: Whether replicas are going to share the samples.
    """
    if isinstance(objective, Compiled):
        return CompiledMetrics(objective, shared=shared)
    return MetricAccumulator(objective, model, sample, summed=shared)

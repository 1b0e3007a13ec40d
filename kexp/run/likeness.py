"""The likeness of trainings: what those have in common that can take their steps as one program."""

from __future__ import annotations

import json
from types import FunctionType
from typing import Any, TypeAlias

import keras

from kexp.core.keras_private import inner_optimizer, learning_rate_of, wrapped_function
from kexp.core.source_code import is_own_code
from kexp.core.structures import leaves
from kexp.data import Stream
from kexp.data.batch_feed import FedSplit
from kexp.run.architecture import describe_models
from kexp.run.training_setup import TrainingSetup
from kexp.train.objectives.supervised import Supervised

Measure: TypeAlias = "keras.losses.Loss | keras.metrics.Metric | FunctionType"
# Options that are in the graph of a step, beside those that model, loss and optimizer are made by.
_IN_STEP = ("clip_norm", "clip_value", "spike")


def unlike_any(setup: TrainingSetup) -> str | None:
    """Return why a training cannot take its steps together with others, or None."""
    options, objective = setup.options, setup.objective
    if type(objective) is not Supervised:
        return f"its objective is {type(objective).__name__}"
    if isinstance(setup.data.train, Stream | FedSplit):
        return "its batches come one by one"
    if setup.augmentation is not None:
        return "its batches are augmented"
    if setup.sample_weight is not None or setup.data.train.sample_weight is not None:
        return "its samples are weighted"
    if options["class_weight"] is not None:
        return "its classes are weighted"
    if options["accumulate"] > 1 or options["batch_size"] == "auto":
        return "its steps are made of several batches"
    if options["ema"] is not None:
        return "its weights are averaged in each step"
    if setup.optimizer is not None or setup.learning_rate is not None:
        return "its optimizer or schedule is the caller's own"
    measured = (objective.loss, *objective.metrics)
    if any(map(_is_callers, measured)):
        return "its loss or a metric is the caller's own"
    if any(entry["code"] for entry in _architecture(setup)):
        return "it has a layer of the caller's own"
    return None


def likeness(setup: TrainingSetup) -> str:
    """Return what a training must have in common with others, as a text to compare."""
    optimizer = setup.model.optimizer
    arrays = leaves((setup.data.train.inputs, setup.data.train.targets))
    content = {
        "architecture": _architecture(setup),
        "optimizer": [type(optimizer).__name__, _optimizer_config(optimizer)],
        "loss": _described(setup.objective.loss),  # type: ignore[attr-defined]
        "metrics": [_described(metric) for metric in setup.objective.metrics],
        "task": [setup.objective.task, setup.objective.from_logits, setup.data.spec.outputs],
        "batch": [setup.batch_size, [[str(array.dtype), *array.shape[1:]] for array in arrays]],
        "validates": setup.data.validation is not None,
        "options": [setup.options[name] for name in _IN_STEP],  # type: ignore[literal-required]
    }
    return json.dumps(content, sort_keys=True, default=str)


def _architecture(setup: TrainingSetup) -> list[dict[str, Any]]:
    described: list[dict[str, Any]] = describe_models({"model": setup.model})["models"]["model"]
    return described


def _optimizer_config(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Return the config of an optimizer without what is a variable of it."""
    config = dict(inner_optimizer(optimizer).get_config())
    if isinstance(learning_rate_of(optimizer), keras.Variable):
        del config["learning_rate"]
    return config


def _described(part: Measure) -> object:
    return [type(part).__name__, part.get_config()] if hasattr(part, "get_config") else part.__name__


def _is_callers(part: Measure) -> bool:
    function = part if isinstance(part, FunctionType) else wrapped_function(part)
    return is_own_code(type(part)) or (isinstance(function, FunctionType) and is_own_code(function))

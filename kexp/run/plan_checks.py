"""What `kexp.fit` is given, checked for its type before anything is looked into or made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from kexp.core.errors import InputError, shown
from kexp.core.foreign_files import reason
from kexp.data import Dataset
from kexp.data.splits import head
from kexp.engine.engine_choice import backend
from kexp.run.fit_plan import FitPlan
from kexp.run.inference import raw_outputs
from kexp.run.training_setup import TrainingSetup
from kexp.train.objectives import Supervised
from kexp.train.phases import Phase

_MODEL = "a Keras model, such as kexp.models.mlp((8, 8, 1), 10)"
_TRIED_SAMPLES = 8


def check_plan(plan: FitPlan) -> None:
    """Refuse arguments of `kexp.fit` that are of another type than they must be.

    Raises:
        InputError: One is; the sentence names it.
    """
    _require("model", plan.model, keras.Model, _MODEL)
    if plan.given is None:
        _require(
            "data", plan.data, Dataset, "a data set, which kexp.data.load makes of names, files and arrays"
        )
    for name in ("preprocessing", "target_preprocessing", "inference_model"):
        value = getattr(plan, name)
        if value is not None:
            _require(name, value, keras.Model, "a Keras model, or None")
    if plan.given is None:
        _require_loss(plan.loss)
    _require_metrics(() if plan.metrics is None else plan.metrics, by_output=plan.given is not None)
    _require_all("phases", plan.phases, Phase, "phases such as kexp.Phase(epochs=2, trainable=['head'])")
    for name, values, kind, example in (
        ("callbacks", plan.callbacks, keras.callbacks.Callback, "callbacks such as TerminateOnNaN()"),
        ("augmentation", plan.augmentation, keras.layers.Layer, "layers such as keras.layers.RandomFlip()"),
    ):
        _require_all(name, values, kind, f"Keras {example}")
    for name, what in (("final_metrics", "a split and outputs"), ("baselines", "raw inputs")):
        _require_functions(name, getattr(plan, name), f"functions of {what} by name")


def check_comparable(setup: TrainingSetup) -> None:
    """Refuse a loss and metrics that cannot compare the targets with what the model gives, on a few samples.

    Raises:
        InputError: One of them cannot.
    """
    if not isinstance(setup.objective, Supervised) or backend().replicas() > 1:
        return
    targets, outputs = _tried(setup)
    trouble = _loss_trouble(setup.objective, targets, outputs)
    if trouble is not None:
        raise InputError(f"loss must fit model and data; {trouble}, so give another loss or model.")
    masked = setup.objective.sample_mask(targets) is not None  # token by token, which the engine does
    for metric in () if masked else setup.objective.metrics:
        try:
            given = keras.ops.convert_to_tensor(setup.objective.metric_targets(targets))
            inputs = setup.objective.metric_inputs(metric, given, keras.ops.convert_to_tensor(outputs))
            metric.update_state(*inputs)
            metric.result()
            metric.reset_state()
        except backend().INPUT_ERRORS as error:
            trouble = f"{metric.name} {_cannot(targets, outputs, error)}"
            raise InputError(f"metrics must fit model and data; {trouble}, so give others.") from error


def loss_trouble(setup: TrainingSetup) -> str | None:
    """Return why the loss of targets and outputs cannot be computed, or None where it can."""
    assert isinstance(setup.objective, Supervised)
    return _loss_trouble(setup.objective, *_tried(setup))


def _tried(setup: TrainingSetup) -> tuple[np.ndarray, np.ndarray]:
    """Return the targets of a few samples, and what the model gives for them."""
    split = head(setup.data.train, _TRIED_SAMPLES)
    return split.targets, raw_outputs(setup.model, split.inputs, _TRIED_SAMPLES)


def _loss_trouble(objective: Supervised, targets: np.ndarray, outputs: np.ndarray) -> str | None:
    try:
        losses = objective.compared(
            keras.ops.convert_to_tensor(targets), keras.ops.convert_to_tensor(outputs, "float32")
        )
        shape = np.shape(losses)
    except backend().INPUT_ERRORS as error:
        return f"the loss {_cannot(targets, outputs, error)}"
    if not shape or shape[0] != len(targets):
        return f"the loss must have a number for each sample; it gives {tuple(shape)}"
    return None


def _cannot(targets: np.ndarray, outputs: np.ndarray, error: Exception) -> str:
    shapes = f"targets {_described(targets)} with outputs {_described(outputs)}"
    return f"cannot compare {shapes} ({reason(error)})"


def _described(array: np.ndarray) -> str:
    return f"(batch{''.join(f', {axis}' for axis in array.shape[1:])}) {array.dtype}"


def _require(name: str, value: object, kind: type, wanted: str) -> None:
    if not isinstance(value, kind):
        raise InputError(f"{name} must be {wanted}; received {_named(value)}.")


def _require_loss(loss: object) -> None:
    other = isinstance(loss, type | keras.Layer | keras.metrics.Metric)
    known = loss is None or (callable(loss) and not other)
    if isinstance(loss, str):
        try:
            known = keras.losses.get(loss) is not None
        except ValueError:
            known = False
    if not known:
        raise InputError(
            "loss must be a Keras loss such as keras.losses.Huber(), its name, or a function of targets and "
            f"outputs; received {_named(loss)}."
        )


def _require_metrics(values: object, *, by_output: bool) -> None:
    """Refuse what is no list of metrics, and by output: no dict or list of such either."""
    wanted = "Keras metrics such as keras.metrics.AUC(), their names or functions"
    listed = list(values.values()) if by_output and isinstance(values, Mapping) else values
    if not isinstance(listed, Sequence) or isinstance(listed, str | bytes):
        raise InputError(f"metrics must be a list of {wanted}; received {_named(values)}.")
    for value in listed:
        for one in value if by_output and isinstance(value, list | tuple) else [value]:
            none = by_output and one is None
            if not none and not isinstance(one, str | keras.metrics.Metric) and not callable(one):
                raise InputError(f"metrics must be a list of {wanted}; received {_named(one)} in it.")


def _require_all(name: str, values: object, kind: type, wanted: str) -> None:
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise InputError(f"{name} must be a list of {wanted}; received {_named(values)}.")
    for value in values:
        if not isinstance(value, kind):
            raise InputError(f"{name} must be a list of {wanted}; received {_named(value)} in it.")


def _require_functions(name: str, values: object, wanted: str) -> None:
    pairs = values.items() if isinstance(values, Mapping) else [(None, None)]
    if not all(isinstance(key, str) and callable(value) for key, value in pairs):
        raise InputError(f"{name} must be {wanted}; received {shown(values)}.")


def _named(value: object) -> str:
    """Return what was received, a class by its name, for it is easily taken for what it makes."""
    return f"the class {value.__name__}" if isinstance(value, type) else shown(value)

"""The teacher of a student: the model of a run or of an export, as one that gives logits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
from keras import ops

from kexp.core.errors import InputError
from kexp.core.name_lists import listed
from kexp.core.user_paths import user_path
from kexp.data.dataset import DatasetSpec, class_names
from kexp.export.exported_model import load_exported
from kexp.export.input_names import DEFAULT
from kexp.run.record import RunRecord
from kexp.run.run_files import CONFIG
from kexp.tasks import task_named

_LEAST = 1e-12  # of a probability, so that it has a logarithm


def load_teacher(teacher: str | os.PathLike[str], spec: DatasetSpec) -> keras.Model:
    """Return the model of a finished run, or of an export, that a student is to learn classes from.

    Args:
        teacher: The folder of the run, or of the export.
        spec: What the student's data is.

    Returns:
        A model that is not trained, from raw inputs to (batch, classes) logits: of a model that gives
        probabilities, their logarithms.

    Raises:
        InputError: There is neither in the folder, or it is for other inputs or classes.

    Example:
        >>> from kexp.data import load
        >>> load_teacher(run_dir, load("digits").spec).output_shape
        (None, 10)
    """
    path = user_path("teacher", teacher)
    of_run = os.path.lexists(path / CONFIG)
    found, model = _of_run(path) if of_run else _of_export(path)
    same_inputs = (found.kind, found.input_shape) == (spec.kind, spec.input_shape)
    if not task_named(found.task).has_labels or not same_inputs:
        raise InputError(
            f"teacher must tell classes of {spec.kind} data of {spec.input_shape}; {path} is for "
            f"{found.task} of {found.kind} data of {found.input_shape}."
        )
    if class_names(found) != class_names(spec):
        raise InputError(
            f"teacher must know the classes of the data in their order, {_listed(spec)}; {path} knows "
            f"{_listed(found)}."
        )
    model.trainable = False
    return model


def _of_run(path: Path) -> tuple[DatasetSpec, keras.Model]:
    record = RunRecord.load(path)
    return record.spec, record.model if record.from_logits else _with_logits(record.model)


def _of_export(path: Path) -> tuple[DatasetSpec, keras.Model]:
    exported = load_exported(path)
    spec = exported.spec
    served = keras.layers.TFSMLayer(str(exported.directory), call_endpoint=DEFAULT)
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype)
    probabilities: Any = served(inputs)["probabilities"]
    return spec, keras.Model(inputs, _Logarithm()(probabilities), name="teacher")


def _with_logits(model: keras.Model) -> keras.Model:
    return keras.Model(model.inputs, _Logarithm()(model.outputs[0]), name=model.name)


class _Logarithm(keras.layers.Layer):
    """The logarithms of probabilities, which are logits."""

    def call(self, probabilities: Any) -> Any:
        return ops.log(ops.maximum(probabilities, _LEAST))

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def _listed(spec: DatasetSpec) -> str:
    return listed(class_names(spec))

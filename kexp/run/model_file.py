"""The model of a run as a .keras file: written, read, and compared with what the run says of it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexp.core.errors import InputError
from kexp.core.foreign_files import reason
from kexp.core.keras_file import read_keras_file
from kexp.core.trainer_private import saved_uncompiled
from kexp.data.array_specs import shapes_agree
from kexp.data.dataset import DatasetSpec
from kexp.tasks import task_named

if TYPE_CHECKING:
    import keras


def save_model(path: Path, model: keras.Model) -> None:
    """Write a trained model as a .keras file, without what it was compiled with: that needs its own classes.

    A model that Keras cannot describe, such as one of a class without `get_config`, has no such file.
    """
    from kexp.core.files import replacing

    try:
        with saved_uncompiled(model), replacing(path) as temporary:
            model.save(temporary)
    except (NotImplementedError, TypeError, ValueError) as error:
        warnings.warn(
            f"Model {model.name} cannot be written as a .keras file ({reason(error)}), so that the run can "
            "be exported but not loaded again; give its classes a get_config.",
            stacklevel=2,
        )


def load_model(path: Path, advice: str, *, checked: bool = False) -> keras.Model:
    """Return the model in a .keras file; nothing in it is unpickled or run.

    Args:
        path: The file.
        advice: What to do about a damaged one.
        checked: Its checksum was compared already. Else its archive's own are.

    Raises:
        InputError: It is missing, damaged, or no model that Keras can load here.
    """
    import kexp.models  # noqa: F401  # Keras finds no layer of a builder whose file was not imported

    return read_keras_file(path, advice, checked=checked)


def require_inputs(model: keras.Model, spec: DatasetSpec, path: Path, advice: str) -> None:
    """Refuse a model of other inputs than those of the data, as far as it tells them by itself.

    Raises:
        InputError: It has others.
    """
    if not isinstance(getattr(model, "inputs", None), list):  # a model of a class of its own
        return
    if spec.kind == "table":
        received = set(model.input) if isinstance(model.input, dict) else {one.name for one in model.inputs}
        odd = sorted(received ^ {column.name for column in spec.columns})
        if odd:
            raise InputError(
                f"file {path}: takes other columns than those of the data: {odd[0]!r}; {advice}."
            )
    elif spec.kind == "arrays":
        if len(model.inputs) != len(spec.inputs):
            raise InputError(
                f"file {path}: takes {len(model.inputs)} inputs, and the data has {len(spec.inputs)}; "
                f"{advice}."
            )
    elif len(model.inputs) != 1 or not shapes_agree(spec.input_shape, model.inputs[0].shape[1:]):
        shapes = " and ".join(str(tensor.shape[1:]) for tensor in model.inputs)
        raise InputError(
            f"file {path}: takes inputs of {shapes}, and the data has {spec.input_shape}; {advice}."
        )


def require_outputs(outputs: Any, spec: DatasetSpec, path: Path, advice: str) -> None:
    """Refuse what a model gave for some samples, where that is not what the run's task is about.

    Raises:
        InputError: It is not.
    """
    try:
        task_named(spec.task).check_model_outputs(outputs, spec)
    except InputError as error:
        reason = str(error).partition(";")[0]
        raise InputError(f"file {path}: is not for the {spec.task} of the run: {reason}; {advice}.") from None

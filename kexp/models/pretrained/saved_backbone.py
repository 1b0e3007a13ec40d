"""What a trained model has learned before its last layer, as a network to go on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import layers

from kexp.core.errors import InputError
from kexp.core.foreign_files import require_checksum
from kexp.core.json_files import read_json_file
from kexp.core.keras_file import read_keras_file
from kexp.core.keras_private import flat_calls

_MODEL, _RESULT = "model.keras", "result.json"  # of a run folder
_ADVICE = "give another model"


def is_saved(path: Path) -> bool:
    """Return whether a path is meant for a saved model: a .keras file or the folder of a run."""
    return path.suffix == ".keras" or (path / _RESULT).is_file()


def saved_backbone(path: Path) -> keras.Model:
    """Return the layers of a saved model up to the one before the last with weights.

    Args:
        path: A .keras file, or the folder of a finished run.

    Returns:
        A flat model named "backbone", from the model's own inputs to (batch, features).

    Raises:
        InputError: There is no model that can be read, or nothing in it comes before the last layer.
    """
    if path.suffix == ".keras":
        return features_of_model(read_keras_file(path, _ADVICE), f"file {path}")
    advice = "restore it, or train the run again"
    read = read_json_file(path / _RESULT, {"files": dict[str, str] | None}, advice=advice)
    file, checksum = path / _MODEL, (read["files"] or {}).get(_MODEL)
    if checksum is not None:
        require_checksum(file, checksum, "the run", advice)
    return features_of_model(read_keras_file(file, advice, checked=checksum is not None), f"file {file}")


def features_of_model(model: keras.Model, place: str) -> keras.Model:
    """Return the layers of a functional model up to the one before the last with weights, flat.

    Args:
        model: A functional or sequential model.
        place: What it is, for messages.

    Raises:
        InputError: It is of a class of its own, has several inputs before that layer, or nothing with
            weights.
    """
    if not isinstance(getattr(model, "inputs", None), list) or not model.inputs:
        raise InputError(
            f"{place}: expected a functional or sequential model, received a "
            f"{type(model).__name__}; {_ADVICE}."
        )
    weighted = [(layer, given) for layer, given, _ in flat_calls(model) if getattr(layer, "weights", None)]
    features = weighted[-1][1][0] if len(weighted) > 1 else None
    if not hasattr(features, "shape"):
        raise InputError(f"{place}: expected layers with weights, the last on one tensor; {_ADVICE}.")
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.input
    return keras.Model(inputs, pooled(features), name="backbone")


def pooled(x: Any) -> Any:
    """Return (batch, features) of (batch, ..., features), the mean over all places.

    Example:
        >>> pooled(keras.KerasTensor((None, 4, 4, 8))).shape
        (None, 8)
    """
    if len(x.shape) == 4:
        return layers.GlobalAveragePooling2D(name="features")(x)
    return layers.GlobalAveragePooling1D(name="features")(x) if len(x.shape) == 3 else x

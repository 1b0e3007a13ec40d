"""The layers of a model as the lines of Python that a person would write to build it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import keras

from kexp.core.errors import InputError
from kexp.core.keras_private import name_stem

# Those whose weights were found to be equal bit by bit; see tests/export/test_eject.py.
_PROVED = (
    *("Activation", "BatchNormalization", "Conv2D", "Dense", "Dropout", "Flatten"),
    *("GlobalAveragePooling2D", "LayerNormalization", "MaxPooling2D", "Rescaling"),
)
_OWN = ("Dropout",)  # which the script has a class of its own for
_PIXEL = 1.0 / 255.0


def model_code(model: keras.Model) -> str:
    """Return the body of a function that builds a chain of Keras's layers.

    Args:
        model: An uncompiled functional model whose layers follow one another.

    Returns:
        Lines of Python that end with a return, with four spaces before each.

    Raises:
        InputError: The model has another form, or a layer that is not known to train to the same bits.

    Example:
        >>> inputs = keras.Input((4,))
        >>> print(model_code(keras.Model(inputs, keras.layers.Dense(2)(inputs), name="small")))
            inputs = keras.Input((4,))
            x = layers.Dense(2)(inputs)
            return keras.Model(inputs, x, name="small")
    """
    chain = _chain(model)
    entry = chain[0]
    dtype = "" if entry.dtype == "float32" else f", dtype={json.dumps(entry.dtype)}"
    lines = [f"inputs = keras.Input({tuple(entry.batch_shape[1:])!r}{dtype})"]
    tensor = "inputs"
    for layer in chain[1:]:
        lines.append(f"x = {_constructor(layer)}({tensor})")
        tensor = "x"
    lines.append(f"return keras.Model(inputs, {tensor}, name={json.dumps(model.name)})")
    return "\n".join(f"    {line}" for line in lines)


def _chain(model: keras.Model) -> list[Any]:
    """Return the layers of a model, of which each takes what the one before gives."""
    layers = list(getattr(model, "layers", ()))
    for layer in layers[1:]:
        if type(layer) is not getattr(keras.layers, type(layer).__name__, None) or (
            type(layer).__name__ not in _PROVED
        ):
            raise InputError(
                f"run_dir must hold a model of layers that are known to train to the same bits in a plain "
                f"script, {', '.join(_PROVED)}; received a layer {type(layer).__name__}."
            )
    for before, layer in pairwise(layers):
        if _only(layer, "input") is None or _only(layer, "input") is not _only(before, "output"):
            raise InputError(
                f"run_dir must hold a model whose layers follow one another; the input of {layer.name} is "
                f"not the output of {before.name}."
            )
    return layers


def _only(layer: keras.Layer, name: str) -> Any:
    try:
        return getattr(layer, name)
    except (AttributeError, ValueError):  # it is called at several places
        return None


def _constructor(layer: keras.Layer) -> str:
    """Return the call that makes a layer, with no more arguments than it needs."""
    kind = type(layer)
    config = layer.get_config()
    parameters = [one for one in inspect.signature(kind).parameters.values() if one.name in config]
    required = [one.name for one in parameters if one.default is one.empty]
    default = kind(*(config[name] for name in required)).get_config()
    arguments = [_literal(layer, config[name]) for name in required]
    arguments += [
        f"{name}={_literal(layer, value)}"
        for name, value in config.items()
        if name not in ("name", *required) and value != default.get(name)
    ]
    if not re.fullmatch(rf"{name_stem(layer)}(_\d+)?", layer.name):
        arguments.append(f"name={json.dumps(layer.name)}")
    home = "" if kind.__name__ in _OWN else "layers."
    return f"{home}{kind.__name__}({', '.join(arguments)})"


def _literal(layer: keras.Layer, value: Any) -> str:
    """Return a value of a layer's configuration as Python.

    Raises:
        InputError: It is an object that is not Keras's.
    """
    if isinstance(value, Mapping):
        home = str(value.get("module"))
        if value.get("registered_name") is not None or not home.startswith("keras."):
            raise InputError(
                f"run_dir must hold a model of Keras's own parts; layer {layer.name} has "
                f"{value.get('class_name', value)!r}."
            )
        given = {name: one for name, one in value["config"].items() if one is not None}
        inner = ", ".join(f"{name}={_literal(layer, one)}" for name, one in given.items())
        return f"{home}.{value['class_name']}({inner})"
    if value == _PIXEL and isinstance(value, float):
        return "1 / 255"
    if isinstance(value, str):
        return json.dumps(value)
    return repr(tuple(value) if isinstance(value, list) else value)

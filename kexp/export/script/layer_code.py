"""A layer as the call that a person would write to make it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from typing import Any

import keras

from kexp.core.errors import InputError
from kexp.core.keras_private import name_stem
from kexp.export.script.script_parts import OWN_LAYERS

# Those whose weights were found to be equal bit by bit; see tests/export/test_eject.py.
_PROVED = (
    *("Activation", "Add", "BatchNormalization", "Concatenate", "Conv2D", "Conv2DTranspose", "Dense"),
    *("Dropout", "Flatten", "GlobalAveragePooling2D", "LayerNormalization", "MaxPooling2D", "Rescaling"),
)
_PIXEL = 1.0 / 255.0


def layer_code(layer: keras.Layer) -> str:
    """Return the call that makes a layer, with no more arguments than it needs.

    Raises:
        InputError: It is not known to train to the same bits, or has parts that are not Keras's.

    Example:
        >>> layer_code(keras.layers.Conv2D(8, 3, name="edges"))
        'layers.Conv2D(8, (3, 3), name="edges")'
    """
    _check(layer)
    config = layer.get_config()
    parameters = inspect.signature(type(layer)).parameters.values()
    required = [one.name for one in parameters if one.name in config and one.default is one.empty]
    default = type(layer)(*(config[name] for name in required)).get_config()
    arguments = [_literal(layer, config[name]) for name in required]
    arguments += [
        f"{name}={_literal(layer, value)}"
        for name, value in config.items()
        if name not in ("name", *required) and value != default.get(name)
    ]
    if not re.fullmatch(rf"{name_stem(layer)}(_\d+)?", layer.name):
        arguments.append(f"name={json.dumps(layer.name)}")
    kind = type(layer).__name__
    return f"{'' if kind in OWN_LAYERS else 'layers.'}{kind}({', '.join(arguments)})"


def _check(layer: keras.Layer) -> None:
    kind = type(layer).__name__
    if kind not in _PROVED or type(layer) is not getattr(keras.layers, kind):
        raise InputError(
            f"run_dir must hold a model of layers that are known to train to the same bits in a plain "
            f"script, {', '.join(_PROVED)}; received a layer {kind}."
        )


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

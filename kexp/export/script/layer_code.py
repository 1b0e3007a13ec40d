"""A layer as the call that a person would write to make it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kexp.core.errors import InputError
from kexp.core.keras_private import name_stem
from kexp.export.script.own_layers import LEFT_OUT, OWN_LAYERS

# Those whose weights were found to be equal bit by bit; see tests/export/test_eject.py.
_PROVED = (
    *("Activation", "Add", "BatchNormalization", "Concatenate", "Conv2D", "Conv2DTranspose", "Dense"),
    *("Dropout", "Flatten", "GlobalAveragePooling2D", "LayerNormalization", "LearnedPositions"),
    *("MaxPooling2D", "Rescaling", "Reshape", "SequencePooling", "TransformerBlock"),
)
_PIXEL = 1.0 / 255.0


def layer_code(layer: keras.Layer) -> str:
    """Return the call that makes a layer, with no more arguments than it needs.

    Raises:
        InputError: It is not known to train to the same bits, or has parts that are not Keras's.

    Example:
        >>> layer_code(keras.layers.Conv2D(8, 3, name="edges"))
        'layers.Conv2D(8, (3, 3), name="edges")'
        >>> layer_code(keras.layers.MaxPooling2D(3, 2))
        'layers.MaxPooling2D(pool_size=(3, 3), strides=(2, 2))'
    """
    _check(layer)
    config = layer.get_config()
    parameters = inspect.signature(type(layer)).parameters.values()
    required = [one.name for one in parameters if one.name in config and one.default is one.empty]
    given, missing = required, _differing(layer, config, required)
    while missing:  # once more, since what one argument is by default may hang on another
        given = [*given, *missing]
        missing = _differing(layer, config, given)
    arguments = [f"{'' if name in required else f'{name}='}{_literal(layer, config[name])}" for name in given]
    if not re.fullmatch(rf"{name_stem(layer)}(_\d+)?", layer.name):
        arguments.append(f"name={json.dumps(layer.name)}")
    kind = type(layer).__name__
    return f"{'' if kind in OWN_LAYERS else 'layers.'}{kind}({', '.join(arguments)})"


def _differing(layer: keras.Layer, config: Mapping[str, Any], given: Sequence[str]) -> list[str]:
    """Return the arguments that a layer like this one would have otherwise, of those that are not given."""
    made = type(layer)(**{name: config[name] for name in given}).get_config()
    return [name for name in config if name not in ("name", *given) and config[name] != made.get(name)]


def _check(layer: keras.Layer) -> None:
    kind = type(layer).__name__
    is_own = kind in OWN_LAYERS and type(layer).__module__.startswith("kexp.")
    is_known = is_own or type(layer) is getattr(keras.layers, kind, None)
    if kind not in _PROVED or not is_known:
        raise InputError(
            f"run_dir must hold a model of layers that are known to train to the same bits in a plain "
            f"script, {', '.join(_PROVED)}; received a layer {kind}."
        )
    for name, without in LEFT_OUT.get(kind, {}).items():
        if getattr(layer, name) != without:
            raise InputError(
                f"{name} of layer {layer.name} is not among what a plain script has; it is "
                f"{getattr(layer, name)!r}."
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

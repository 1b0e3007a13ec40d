"""The architecture of a run's models: what architecture.json records of them.

A model is listed as its layers and operations at any depth, in order: class, config, calls in its graph,
shapes of its weights, and checksums of the code that the user wrote for it. Left out is what may differ
without meaning: names, of which Keras numbers most, and seeds, whose streams a checkpoint has.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

import keras
import numpy as np

from kexp.core.keras_private import all_layers, name_stem, parts_of
from kexp.core.source_code import class_checksums, function_checksum, is_own_code, qualified_name

Entry = dict[str, Any]
_UNIMPORTANT = {"name", "seed", "module", "registered_name", "build_config", "shared_object_id"}
# Attributes of any layer, beside those that begin with an underscore.
_OF_ALL_LAYERS = {"name", "built", "autocast", "trainable", "dtype_policy", "input_spec", "supports_masking"}
_OF_ALL_LAYERS |= {"supports_jit", "stop_training", "steps_per_execution", "jit_compile", "auto_scale_loss"}
_MOST_LISTED = 64
_OTHER_OBJECTS = (
    keras.layers.Layer,
    keras.Variable,
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.optimizers.Optimizer,
    keras.callbacks.Callback,
)


def describe_models(models: Mapping[str, keras.Model | None]) -> dict[str, Any]:
    """Return what architecture.json records of the models of a run.

    Args:
        models: Built models by what they are to the run; those that are None are left out. A layer that is
            part of several is described in the first.

    Returns:
        JSON types, as they are read back.
    """
    seen: set[int] = set()
    described = {
        name: list(_entries(model, 0, [], seen)) for name, model in models.items() if model is not None
    }
    return json.loads(json.dumps({"keras": keras.__version__, "models": described}))


def describe_optimizer(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Return the class and the constants of an optimizer, in JSON types."""
    facts = {"class": qualified_name(type(optimizer)), **_config(optimizer)}
    return json.loads(json.dumps(facts))


def _entries(thing: Any, depth: int, calls: list[Any], seen: set[int]) -> Iterator[Entry]:
    """Yield the entry of a layer or operation, and those of all inside it."""
    parts, outputs = parts_of(thing)
    entry = {
        "class": qualified_name(type(thing)),
        "name": _given_name(thing),
        "depth": depth,
        "calls": _plain(calls),
        "outputs": _plain(outputs),
    }
    if id(thing) in seen:
        yield {**entry, "config": {}, "code": {}, "weights": []}
        return
    seen.add(id(thing))
    inner = {id(variable) for part, _ in parts for variable in getattr(part, "weights", ())}
    own = [variable for variable in getattr(thing, "weights", ()) if id(variable) not in inner]
    shapes = [list(variable.shape) for variable in own]
    # A graph of layers is they, and how they are called.
    config = {} if outputs is not None or isinstance(thing, keras.Sequential) else _config(thing)
    yield {**entry, "config": config, "code": _code(thing), "weights": shapes}
    for part, part_calls in parts:
        yield from _entries(part, depth + 1, part_calls, seen)


def _given_name(thing: Any) -> str | None:
    """Return a name, unless it is Keras's own, whose number counts what the process has made."""
    return None if re.fullmatch(rf"{re.escape(name_stem(thing))}(_\d+)?", thing.name) else thing.name


def _config(thing: Any) -> Entry:
    is_layer = isinstance(thing, keras.layers.Layer)
    inside = {type(layer).__name__ for layer in all_layers(thing)} if is_layer else set()
    config = _own_config(thing)
    if config is None:
        config = {
            name: value
            for name, value in vars(thing).items()
            if not name.startswith("_") and name not in _OF_ALL_LAYERS and _is_plain(value)
        }
    if config.get("batch_shape"):  # the first of which is how many samples a model was first called with
        config["batch_shape"] = [None, *config["batch_shape"][1:]]
    return {name: _plain(value, inside) for name, value in config.items() if name not in _UNIMPORTANT}


def _own_config(thing: Any) -> dict[str, Any] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's of lambdas, whose code is looked at
        try:
            return dict(thing.get_config())
        except Exception:  # the user's own method, or what Keras cannot serialise
            return None


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(entry) for entry in value)
    return value is None or isinstance(value, bool | int | float | str)


def _code(thing: Any) -> dict[str, str]:
    """Return checksums of the user's code in a layer: its class, and functions and objects that it holds."""
    found = class_checksums(type(thing))
    for name, value in sorted(vars(thing).items()):
        held = list(value.values()) if isinstance(value, Mapping) else value
        for one in held if isinstance(held, list | tuple) else [held]:
            if isinstance(one, FunctionType) and is_own_code(one):
                found[name] = function_checksum(one)
            elif is_own_code(type(one)) and not isinstance(one, _OTHER_OBJECTS):
                methods = class_checksums(type(one)).items()
                found.update({f"{type(one).__name__}.{method}": checksum for method, checksum in methods})
    return found


def _plain(value: Any, inside: set[str] | frozenset[str] = frozenset()) -> Any:
    """Return a value of a config in JSON types; layers, which have entries of their own, as their class."""
    if isinstance(value, Mapping):
        return _plain_mapping(value, inside)
    if isinstance(value, list | tuple):
        return _shortened([_plain(entry, inside) for entry in value])
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _array(np.asarray(value)) if hasattr(value, "__array__") else str(value.shape)
    return getattr(value, "__name__", type(value).__name__)


def _plain_mapping(value: Mapping[Any, Any], inside: set[str] | frozenset[str]) -> Any:
    kind, config = value.get("class_name"), value.get("config")
    if kind is None or "config" not in value:
        return {str(key): _plain(entry, inside) for key, entry in value.items()}
    if kind in inside or kind == "__lambda__":
        return kind
    if kind == "DTypePolicy" and isinstance(config, Mapping):
        return config.get("name")
    if not isinstance(config, Mapping):  # a function by its name
        return str(config).rpartition(">")[2]
    if kind in ("__numpy__", "__tensor__"):
        return _array(np.asarray(config.get("value")))
    kept = {str(key): _plain(entry, inside) for key, entry in config.items() if key not in _UNIMPORTANT}
    return {"class_name": kind, **kept}


def _array(values: np.ndarray) -> Any:
    if values.size <= _MOST_LISTED:
        return _plain(values.tolist())
    checksum = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
    return {"class_name": "array", "shape": list(values.shape), "sha256": checksum}


def _shortened(values: list[Any]) -> Any:
    """Return a long list, such as a vocabulary, by what tells it from another."""
    if len(values) <= _MOST_LISTED:
        return values
    try:
        numbers = np.asarray(values)
    except ValueError:  # lists of several lengths
        numbers = np.zeros(0, object)
    if numbers.dtype.kind == "f":  # which another machine may have summed up in another order
        return {"entries": len(values), "mean": float(numbers.mean()), "deviation": float(numbers.std())}
    return {"entries": len(values), "sha256": hashlib.sha256(json.dumps(values).encode()).hexdigest()}

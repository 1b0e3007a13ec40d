"""Python objects as JSON: by Keras's own description, or by their module, name and source."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np


def recorded(value: Any) -> Any:
    """Return what config.json has of an argument that is an object, which tells it from others.

    Args:
        value: A name, a number, an object of Keras, a function or a class, or lists and dicts of these.

    Example:
        >>> recorded("adam"), recorded(keras.optimizers.SGD(0.5))["config"]["learning_rate"]
        ('adam', 0.5)
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): recorded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [recorded(part) for part in value]
    described = _by_keras(value)
    own = type(value) if described is not None and not inspect.isroutine(value) else value
    if described is None or not getattr(own, "__module__", "").startswith("keras."):
        return {**(described or _named(value)), **_source_of(own)}
    return described


def _by_keras(value: Any) -> dict[str, Any] | None:
    """Return Keras's description, or None where there is none that JSON can hold."""
    if inspect.isroutine(value) or isinstance(value, type):
        return None
    try:
        described = keras.saving.serialize_keras_object(value)
        json.dumps(described)
    except Exception:  # whatever `get_config` of somebody's class raises
        return None
    return _without_numbers(described) if isinstance(described, dict) else None


def _without_numbers(described: Any) -> Any:
    """Return a description without the numbers that Keras gives to the names of what it makes."""
    if isinstance(described, list):
        return [_without_numbers(part) for part in described]
    if not isinstance(described, dict):
        return described
    plain = {key: _without_numbers(part) for key, part in described.items()}
    if isinstance(plain.get("name"), str):
        plain["name"] = re.sub(r"_\d+$", "", plain["name"])
    return plain


def _named(value: Any) -> dict[str, Any]:
    kind = value if inspect.isroutine(value) or isinstance(value, type) else type(value)
    return {"module": kind.__module__, "name": kind.__qualname__}


def _source_of(value: Any) -> dict[str, Any]:
    kind = value if inspect.isroutine(value) or isinstance(value, type) else type(value)
    try:
        source = inspect.getsource(kind)
    except (OSError, TypeError):  # made at a prompt, or built in
        return {"source_sha256": None}
    return {"source_sha256": hashlib.sha256(source.encode()).hexdigest()}

"""The state of callbacks in a checkpoint: Keras's own, and those that have `get_state` and `set_state`.

The protocol is two methods on a `keras.callbacks.Callback`:

    def get_state(self) -> dict[str, Any]: ...  # numbers, strings, None, arrays, lists and dicts of them
    def set_state(self, state: dict[str, Any]) -> None: ...

`set_state` is called after `on_train_begin` when a run goes on, with what `get_state` returned when the
checkpoint was written. Of Keras's own callbacks (and subclasses without these methods) every attribute that
is plain data is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kexp.core.errors import InputError

# What the loop itself sets. Keras turns the sign of min_delta when it finds out the direction of a metric,
# which it does anew in each process.
_NOT_STATE = ("_model", "params", "validation_data", "min_delta")


def read_states(
    callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the state of all callbacks by name: what JSON can hold, and the arrays that it refers to.

    Raises:
        InputError: A callback's `get_state` returned something else than plain data and arrays.
    """
    plain: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, callback in _named(callbacks).items():
        state = _state_of(callback)
        if state:
            plain[name] = _encoded(state, f"callback/{name}", arrays)
    return plain, arrays


def restore_states(
    callbacks: Sequence[keras.callbacks.Callback], plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Give every callback the state that `read_states` returned.

    Raises:
        InputError: A callback of the interrupted run is not among these.
    """
    present = _named(callbacks)
    for name, encoded in plain.items():
        if name not in present:
            raise InputError(
                f"callbacks must be those of the interrupted run, which had {name}; received "
                f"{', '.join(present) or 'none'}."
            )
        state = _decoded(encoded, arrays)
        if _has_protocol(present[name]):
            present[name].set_state(state)
        else:
            vars(present[name]).update(state)


def missing_arrays(plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Return what a state that `read_states` returned refers to and that is not there, or is no reference.

    Example:
        >>> missing_arrays({"Plateau": {"dict": {"rate": {"array": "callback/Plateau/rate"}}}}, {})
        ['callback/Plateau/rate']
    """

    def missing(value: Any) -> list[str]:
        if isinstance(value, list):
            return [name for entry in value for name in missing(entry)]
        if not isinstance(value, dict):
            return []
        if isinstance(value.get("dict"), dict):
            return missing(list(value["dict"].values()))
        name = value.get("array")
        return [] if isinstance(name, str) and name in arrays else [str(name)]

    other = [name for name, state in plain.items() if not isinstance(state, dict) or "dict" not in state]
    return other or missing(list(plain.values()))


def _named(callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, keras.callbacks.Callback]:
    """Return callbacks by class and, where there are several of a class, number."""
    named: dict[str, keras.callbacks.Callback] = {}
    for callback in callbacks:
        kind = type(callback).__name__
        count = sum(type(other).__name__ == kind for other in named.values())
        named[f"{kind}-{count + 1}" if count else kind] = callback
    return named


def _state_of(callback: keras.callbacks.Callback) -> dict[str, Any]:
    if _has_protocol(callback):
        return callback.get_state()
    kinds = set(type(callback).__mro__) - {keras.callbacks.Callback}
    if not any(kind.__module__.startswith("keras.") for kind in kinds):
        return {}
    return {
        name: value for name, value in vars(callback).items() if name not in _NOT_STATE and _is_plain(value)
    }


def _has_protocol(callback: keras.callbacks.Callback) -> bool:
    return hasattr(callback, "get_state") and hasattr(callback, "set_state")


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(entry) for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(entry) for entry in value)
    return value is None or isinstance(value, (bool, int, float, str, np.ndarray, np.generic))


def _encoded(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        arrays[path] = np.array(value)
        return {"array": path}
    if isinstance(value, Mapping):
        return {"dict": {key: _encoded(entry, f"{path}/{key}", arrays) for key, entry in value.items()}}
    if isinstance(value, (list, tuple)):
        return [_encoded(entry, f"{path}/{number}", arrays) for number, entry in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise InputError(
        f"get_state of a callback must return numbers, strings, None and NumPy arrays, in lists or dicts; "
        f"{path.removeprefix('callback/')} is {type(value).__name__}."
    )


def _decoded(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decoded(entry, arrays) for entry in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        array = arrays[value["array"]]
        return array if array.shape else array[()]
    return {key: _decoded(entry, arrays) for key, entry in value["dict"].items()}

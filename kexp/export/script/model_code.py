"""A functional model as the lines of Python that a person would write to build it."""

from __future__ import annotations

import builtins
import inspect
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras import tree

from kexp.core.errors import InputError
from kexp.core.keras_private import by_first_call, name_stem, parts_of
from kexp.export.script.layer_code import layer_code

_TENSOR = re.compile(r"tensor (\d+)\.(\d+)\.(\d+)")
_TAKEN = ("inputs", "keras", "layers", "model", "np", "ops", "tf", "x")


def model_code(model: keras.Model) -> str:
    """Return the body of a function that builds a functional model of Keras's layers and operations.

    Args:
        model: An uncompiled functional model with one input and one output, whose layers are called once.

    Returns:
        Lines of Python that end with a return, with four spaces before each. What the next line alone takes
        is x; everything else has a name.

    Raises:
        InputError: The model has another form, or a layer that is not known to train to the same bits.

    Example:
        >>> inputs = keras.Input((4,))
        >>> print(model_code(keras.Model(inputs, keras.layers.Dense(2)(inputs), name="small")))
            inputs = keras.Input((4,))
            x = layers.Dense(2)(inputs)
            return keras.Model(inputs, x, name="small")
    """
    parts, order, outputs = _graph(model)
    names = _names(parts, order, outputs)
    lines = [_input_line(parts[order[0]][0])]
    for place in order[1:]:
        part, ((arguments, options),) = parts[place]
        lines.append(f"{names[place]} = {_call(part, arguments, options, names)}")
    lines.append(f"return keras.Model(inputs, {_value(outputs, names)}, name={json.dumps(model.name)})")
    return "\n".join(f"    {line}" for line in lines)


def rebuilt(model: keras.Model) -> keras.Model:
    """Return a model whose layers are made anew, each before its call, as `model_code` has them.

    Example:
        >>> inputs = keras.Input((4,))
        >>> rebuilt(keras.Model(inputs, keras.layers.Dense(2)(inputs))).count_params()
        10
    """
    parts, order, outputs = _graph(model)
    tensors: dict[int, Any] = {}

    def found(value: Any) -> Any:
        name = _TENSOR.fullmatch(value) if isinstance(value, str) else None
        return value if name is None else tensors[int(name[1])]

    for place in order:
        part, ((arguments, options),) = parts[place]
        if isinstance(part, keras.layers.InputLayer):
            tensors[place] = keras.Input(batch_shape=part.batch_shape, dtype=part.dtype)
            continue
        made = type(part).from_config(part.get_config()) if isinstance(part, keras.Layer) else part
        given, named = tree.map_structure(found, (arguments, options))
        tensors[place] = made(*given, **named)
    return keras.Model(tensors[order[0]], found(outputs))


def _graph(model: keras.Model) -> tuple[list[tuple[Any, list[Any]]], list[int], Any]:
    """Return the parts of a model with their calls, their places in the order of the calls, and the output.

    The weights that layers draw hang on that order.
    """
    parts, outputs = parts_of(model)
    _check(parts, outputs)
    rank = {id(part): number for number, part in enumerate(by_first_call(model))}
    return parts, sorted(range(len(parts)), key=lambda place: rank[id(parts[place][0])]), outputs


def _check(parts: list[tuple[Any, list[Any]]], outputs: Any) -> None:
    """Refuse what is not one graph from an input to an output.

    Raises:
        InputError: It is not.
    """
    entries = [part for part, _ in parts if isinstance(part, keras.layers.InputLayer)]
    once = all(len(calls) == 1 for _, calls in parts)
    if not isinstance(outputs, str) or len(entries) != 1 or not once:
        raise InputError(
            "run_dir must hold a functional model with one input and one output, of which each layer is "
            "called once, to become a plain script."
        )


def _input_line(entry: Any) -> str:
    dtype = "" if entry.dtype == "float32" else f", dtype={json.dumps(entry.dtype)}"
    return f"inputs = keras.Input({tuple(entry.batch_shape[1:])!r}{dtype})"


def _names(parts: list[tuple[Any, list[Any]]], order: list[int], outputs: Any) -> dict[int, str]:
    """Return the variable for what each layer or operation gives."""
    lines = {place: line for line, place in enumerate(order)}
    takers: dict[int, set[int]] = {place: set() for place in order}
    for place, (_, calls) in enumerate(parts):
        for origin in _origins(calls):
            takers[origin].add(lines[place])
    for origin in _origins(outputs):
        takers[origin].add(len(order))
    names, counts = {order[0]: "inputs"}, Counter(_TAKEN)
    for place in order[1:]:
        if takers[place] == {lines[place] + 1}:
            names[place] = "x"
            continue
        stem = name_stem(parts[place][0])
        counts[stem] += 1
        is_free = counts[stem] == 1 and not hasattr(builtins, stem)
        names[place] = stem if is_free else f"{stem}_{counts[stem]}"
    return names


def _origins(structure: Any) -> Iterable[int]:
    """Return the places of the layers whose tensors are in a structure."""
    for value in tree.flatten(structure):
        found = _TENSOR.fullmatch(value) if isinstance(value, str) else None
        if found is not None:
            yield int(found[1])


def _call(part: Any, arguments: tuple[Any, ...], options: Mapping[str, Any], names: Mapping[int, str]) -> str:
    """Return the expression that calls a layer or an operation."""
    given = [_value(one, names) for one in arguments]
    # Whether it is trained is said by who calls the model.
    named = {name: one for name, one in options.items() if name != "training" and one is not None}
    if isinstance(part, keras.Layer):
        given += [f"{name}={_value(one, names)}" for name, one in named.items()]
        return f"{layer_code(part)}({', '.join(given)})"
    function = _function(part)
    if function is None:
        return f"{given[0]}[{given[1].removeprefix('(').removesuffix(')')}]"
    parameters = inspect.signature(function).parameters
    config = {name: one for name, one in part.get_config().items() if name in parameters}
    given += [
        f"{name}={_value(one, names)}"
        for name, one in {**config, **named}.items()
        if one != parameters[name].default
    ]
    return f"ops.{function.__name__}({', '.join(given)})"


def _function(operation: Any) -> Callable[..., Any] | None:
    """Return the function of keras.ops that is an operation; None: it is taking an item.

    Raises:
        InputError: There is none of its name.
    """
    if type(operation).__name__ == "GetItem":
        return None
    found: Callable[..., Any] | None = getattr(keras.ops, name_stem(operation), None)
    if found is None or not type(operation).__module__.startswith("keras."):
        raise InputError(
            "run_dir must hold a model of Keras's layers and of keras.ops to become a plain script; "
            f"received {type(operation).__name__}."
        )
    return found


def _value(value: Any, names: Mapping[int, str]) -> str:
    """Return an argument of a call as Python.

    Raises:
        InputError: It is an object.
    """
    if isinstance(value, list | tuple):
        inner = ", ".join(_value(one, names) for one in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    if isinstance(value, slice):
        return ":".join("" if one is None else repr(one) for one in (value.start, value.stop)) + (
            "" if value.step is None else f":{value.step!r}"
        )
    found = _TENSOR.fullmatch(value) if isinstance(value, str) else None
    if found is not None and found[3] == "0" and int(found[1]) in names:
        return names[int(found[1])]
    if isinstance(value, str) and not value.startswith("tensor "):
        return json.dumps(value)
    if isinstance(value, bool | int | float | type(None) | type(Ellipsis)):
        return "..." if value is Ellipsis else repr(value)
    raise InputError(
        f"run_dir must hold a model whose calls take tensors and plain numbers to become a plain script; "
        f"received {type(value).__name__}."
    )

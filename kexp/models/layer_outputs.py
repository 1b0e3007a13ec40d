"""What goes into and comes out of the layers of a model while it answers, at any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import keras

from kexp.core.errors import InputError, nearest, shown
from kexp.core.trainer_private import call_model
from kexp.core.types import Nest


def layers_by_name(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return the layers of a model and of models inside it, by their names with those of the models around.

    What is inside other layers, such as the cell of a recurrent one, is a part of them.

    Example:
        >>> inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="hidden")], name="inner")
        >>> list(layers_by_name(keras.Sequential([inner, keras.layers.Dense(1, name="out")])))
        ['inner', 'inner/hidden', 'out']
    """
    found: dict[str, keras.layers.Layer] = {}
    for layer in model.layers:
        found[layer.name] = layer
        if isinstance(layer, keras.Model):
            found |= {f"{layer.name}/{name}": inner for name, inner in layers_by_name(layer).items()}
    return found


def layer_named(model: keras.Model, name: str) -> keras.layers.Layer:
    """Return a layer by its name, with or without those of the models around it.

    Raises:
        InputError: There is none, or several.
    """
    every = layers_by_name(model)
    if name in every:
        return every[name]
    matching = [path for path in every if path.endswith(f"/{name}")]
    if len(matching) == 1:
        return every[matching[0]]
    if matching:
        raise InputError(f"layer={shown(name)}: stands for several; give one of {', '.join(matching[:4])}.")
    short = {path.rpartition("/")[2] for path in every}
    raise InputError(
        f"layer={shown(name)}: expected the name of a layer of model {model.name!r}"
        f"{nearest(str(name), [*short, *every])}; model.summary() lists them."
    )


def output_of(model: keras.Model, name: str) -> Callable[[Nest], Any]:
    """Return a function from a batch to what a layer of a model gives for it, without training.

    Raises:
        InputError: There is no such layer.
    """
    layer = layer_named(model, name)
    return lambda batch: _seen(model, [layer], batch)[1]


def input_of_last(model: keras.Model) -> Callable[[Nest], Any]:
    """Return a function from a batch to what the last layer with weights sees of it, without training.

    The last is the one that is called last. The function raises an `InputError` where there is none, or where
    it sees several tensors.
    """
    weighted = [
        layer
        for layer in layers_by_name(model).values()
        if layer.weights and not isinstance(layer, keras.Model)
    ]

    def call(batch: Nest) -> Any:
        given = _seen(model, weighted, batch)[0]
        if not hasattr(given, "shape"):
            raise InputError(
                f"layer=None: the last layer with weights of model {model.name!r} must see one tensor; give "
                "the name of a layer."
            )
        return given

    return call


def _seen(model: keras.Model, layers: list[keras.layers.Layer], batch: Nest) -> tuple[Any, Any]:
    """Return the input and the output of that of some layers which is called last for a batch."""
    seen: list[tuple[Any, Any]] = []
    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(_watched(layer, seen))
        call_model(model, batch, training=False)
    if not seen:
        raise InputError(
            f"layer: model {model.name!r} calls none of the layers that were asked for; give another name."
        )
    return seen[-1]


@contextmanager
def _watched(layer: keras.layers.Layer, seen: list[tuple[Any, Any]]) -> Iterator[None]:
    """Note what goes into a layer and what comes out; Keras tells it of functional models alone."""
    own = layer.call

    def call(*arguments: Any, **options: Any) -> Any:
        output = own(*arguments, **options)
        seen.append((next(iter((*arguments, *options.values())), None), output))
        return output

    attributes: dict[str, Any] = vars(layer)  # not by setattr, with which Keras would track it
    before: Mapping[str, Any] = {"call": attributes["call"]} if "call" in attributes else {}
    attributes["call"] = call
    try:
        yield
    finally:
        del attributes["call"]
        attributes.update(before)

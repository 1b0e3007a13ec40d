"""What goes into and comes out of the layers of a model while it answers, at any depth."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, NamedTuple

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
            f"layer: model {model.name!r} calls none of the layers that were named; give another name."
        )
    return seen[-1]


class Place(NamedTuple):
    """A place in a forward pass where one tensor goes into a layer or comes out of it.

    Attributes:
        name: Of the layer, with those of the models around it.
        layer: The layer.
        call: Which of its calls, from 0: shared layers have several.
        side: Whether the tensor is its "input" or its "output".
    """

    name: str
    layer: keras.layers.Layer
    call: int
    side: Literal["input", "output"]


def activations(
    model: keras.Model, batch: Nest, places: Collection[Place] | None = None
) -> list[tuple[Place, Any]]:
    """Return all single tensors that go into the layers of a model and come out, in the order of the pass.

    Args:
        model: Any Keras model, with models inside or not; it answers without training.
        batch: Tensors as it takes them.
        places: Those that are wanted; None (default): all of them.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="hidden")])
        >>> found = activations(model, keras.ops.ones((1, 2)))
        >>> [(place.name, place.side, value.shape[1]) for place, value in found]
        [('hidden', 'input', 2), ('hidden', 'output', 3)]
    """
    seen: list[tuple[Place, Any]] = []
    calls: dict[int, int] = {}

    def note(place: Place, value: Any) -> None:
        if hasattr(value, "shape") and (places is None or place in places):
            seen.append((place, value))

    def watch(name: str, layer: keras.layers.Layer) -> Any:
        def around(own: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
            number = calls[id(layer)] = calls.get(id(layer), -1) + 1
            note(Place(name, layer, number, "input"), _first(arguments, options))
            output = own(*arguments, **options)
            note(Place(name, layer, number, "output"), output)
            return output

        return intercepted(layer, around)

    with ExitStack() as stack:
        for name, layer in _once(model):
            stack.enter_context(watch(name, layer))
        call_model(model, batch, training=False)
    return seen


def outputs_with(model: keras.Model, batch: Nest, place: Place, value: Any) -> Any:
    """Return the outputs of a model with a tensor in the place of what a layer sees or gives.

    Args:
        model: As of `activations`.
        batch: As of `activations`.
        place: From `activations` of the same model.
        value: Of the shape of what stands there.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.ReLU(name="hidden")])
        >>> place, given = activations(model, keras.ops.ones((1, 2)))[-1]
        >>> outputs_with(model, keras.ops.ones((1, 2)), place, 7 * given).numpy().tolist()
        [[7.0, 7.0]]
    """
    calls = iter(range(1_000_000))

    def around(own: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if next(calls) != place.call:
            return own(*arguments, **options)
        if place.side == "output":
            return value
        if arguments:
            return own(value, *arguments[1:], **options)
        return own(**{**options, next(iter(options)): value})

    with intercepted(place.layer, around):
        return call_model(model, batch, training=False)


def _once(model: keras.Model) -> list[tuple[str, keras.layers.Layer]]:
    """Return the layers of a model by name, each once."""
    named = {id(layer): (name, layer) for name, layer in reversed(layers_by_name(model).items())}
    return list(named.values())


def _first(arguments: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    return next(iter((*arguments, *options.values())), None)


@contextmanager
def _watched(layer: keras.layers.Layer, seen: list[tuple[Any, Any]]) -> Iterator[None]:
    """Note what goes into a layer and what comes out; Keras tells it of functional models alone."""

    def around(own: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        output = own(*arguments, **options)
        seen.append((_first(arguments, options), output))
        return output

    with intercepted(layer, around):
        yield


@contextmanager
def intercepted(layer: keras.layers.Layer, around: Callable[..., Any]) -> Iterator[None]:
    """Have a layer's calls go through a function in this block.

    Args:
        layer: Any layer, also one inside of another.
        around: Takes the layer's own `call`, and positional and named arguments; returns the output.
    """
    own = layer.call

    def call(*arguments: Any, **options: Any) -> Any:
        return around(own, arguments, options)

    attributes: dict[str, Any] = vars(layer)  # not by setattr, with which Keras would track it
    before: Mapping[str, Any] = {"call": attributes["call"]} if "call" in attributes else {}
    attributes["call"] = call
    try:
        yield
    finally:
        del attributes["call"]
        attributes.update(before)

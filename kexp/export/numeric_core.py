"""The numeric core: a model from the numbers of its strings on, for runtimes that have no strings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kexp.export.exporter import Smaller
from kexp.export.preprocess import preprocessing
from kexp.export.serving_signatures import ServedSignature, call
from kexp.export.string_lookups import lookup_settings

if TYPE_CHECKING:
    import keras

Settings = Mapping[str, Mapping[str, Any]]


class NumericCore(NamedTuple):
    """What a model computes from numbers.

    Attributes:
        model: The model from there on, of the same layers.
        served: Its signature; the case is that of the raw inputs.
        settings: What turns each input of strings into numbers, by key, as
            `kexp.export.preprocess.preprocessing` takes it; empty where there are none.
    """

    model: keras.Model
    served: ServedSignature
    settings: Settings

    def prepared(self, smaller: Smaller | None) -> Smaller | None:
        """Return a smaller type with samples as the core takes them."""
        if smaller is None or not self.settings:
            return smaller
        prepare = preprocessing(self.settings)
        return smaller._replace(representatives=lambda: map(prepare, smaller.representatives()))


class NoCore(ValueError):
    """A model has strings that go elsewhere than into a known lookup; the message says where."""


def string_inputs(served: ServedSignature) -> dict[str, str]:
    """Return the names of those inputs of a signature that are strings, by their keys."""
    named = zip(served.inputs, served.names, strict=True)
    return {spec.name: name for spec, name in named if spec.dtype.name == "string"}


def numeric_core(model: keras.Model, served: ServedSignature) -> NumericCore:
    """Return the core of a model, which without strings is the model itself.

    Args:
        model: The trained model.
        served: The signature of its predictions.

    Raises:
        NoCore: A string goes into something else than a lookup that `kexp.export.preprocess` repeats.
    """
    texts = string_inputs(served)
    if not texts:
        return NumericCore(model, served, {})
    tensors = _input_tensors(model, served)
    settings = {}
    for key, name in texts.items():
        tensors[name], settings[key] = _looked_up(model, tensors[name], name)
    import keras

    try:
        core = keras.Model(list(tensors.values()), model.output, name=model.name)
    except ValueError as error:  # a string goes somewhere else as well
        raise NoCore(f"more than one layer takes {_listed(list(texts.values()))}") from error
    return NumericCore(core, _from_numbers(core, served, tensors, texts), settings)


def _input_tensors(model: keras.Model, served: ServedSignature) -> dict[str, Any]:
    """Return the input tensors of a graph of layers by name, in the order of the signature."""
    names = list(served.names)
    # A class of someone's own may do anything with what it is called with.
    if type(model).__module__.partition(".")[0] == "keras":
        found = getattr(model, "input", None)
        if isinstance(found, Mapping) and set(found) == set(names):
            return {name: found[name] for name in names}
        if hasattr(found, "dtype") and len(names) == 1:
            return {names[0]: found}
    raise NoCore(f"the model takes strings as {_listed(list(string_inputs(served)))}")


def _looked_up(model: keras.Model, tensor: Any, name: str) -> tuple[Any, dict[str, Any]]:
    """Return the numbers of strings in the graph, and what repeats them."""
    takers = [layer for layer in model.layers if _takes(layer, tensor)]
    for layer in takers:
        settings = lookup_settings(layer)
        if settings is not None:
            return layer.output, settings
    kinds = " and ".join(sorted({type(layer).__name__ for layer in takers})) or "no layer alone"
    raise NoCore(f"{name!r} goes into {kinds}, which only TensorFlow computes")


def _takes(layer: keras.layers.Layer, tensor: Any) -> bool:
    try:
        return layer.input is tensor and layer.output is not tensor
    except (AttributeError, ValueError):  # never called, or more than once
        return False


def _from_numbers(
    core: keras.Model, served: ServedSignature, tensors: Mapping[str, Any], texts: Mapping[str, str]
) -> ServedSignature:
    """Return the signature of the core, whose strings have become numbers."""
    import tensorflow as tf

    inputs = [
        tf.TensorSpec(tensors[texts[spec.name]].shape, "int32", name=spec.name)
        if spec.name in texts
        else spec
        for spec in served.inputs
    ]
    types = [tensor.dtype for tensor in tensors.values()]
    named = served.named
    assert named is not None

    def serve(*numbers: Any) -> dict[str, Any]:
        given = [tf.cast(number, dtype) for number, dtype in zip(numbers, types, strict=True)]
        return named(call(core, given))

    return served._replace(inputs=inputs, source=serve)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:6]))

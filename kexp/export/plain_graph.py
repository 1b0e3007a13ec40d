"""The plain graph: a model as operations that runtimes without TensorFlow have, or why it has none."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kexp.core.keras_private import all_layers
from kexp.export.input_names import DEFAULT
from kexp.export.numeric_core import NoCore, numeric_core
from kexp.export.serving_signatures import ServedSignature

if TYPE_CHECKING:
    import keras

# What begins the names of TensorFlow's operations that neither ONNX Runtime nor LiteRT has, and what they do.
_FOREIGN = {
    "string lookup": ("HashTable", "MutableHashTable", "LookupTable", "InitializeTable"),
    "text": ("String", "Regex", "Unicode", "AsString", "ReduceJoin", "Substr", "DecodeRaw", "StaticRegex"),
    "random draws": ("Random", "StatelessRandom", "Stateful", "Multinomial", "StatelessMultinomial"),
    "control flow": ("While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"),
    "decoding of images": ("Decode",),
}


def plain_refusal(model: keras.Model, signatures: Sequence[ServedSignature], form: str) -> str | None:
    """Return the sentence that says what of a model a format without TensorFlow cannot carry, or None.

    Args:
        model: The trained model.
        signatures: What is served of it.
        form: The name of the format.
    """
    served = predictions_of(signatures)
    if served is None or served.source is None:
        return f"{form} cannot carry a model that makes samples by random draws; use saved_model."
    try:
        core = numeric_core(model, served)
    except NoCore as error:
        return f"{form} cannot carry text and string lookup, and {error}; use saved_model."
    found = _foreign(plain_function(core.model, core.served).get_concrete_function())
    return f"{form} cannot carry the model's {' and '.join(found)}; use saved_model." if found else None


def predictions_of(signatures: Sequence[ServedSignature]) -> ServedSignature | None:
    """Return the signature of the predictions, which is the one that other formats than SavedModel serve."""
    return next((served for served in signatures if served.case.signature == DEFAULT), None)


def plain_function(model: keras.Model, served: ServedSignature) -> Any:
    """Return the `tf.function` of a signature, traced with its recurrent layers step by step."""
    import tensorflow as tf

    with unrolled(model):
        function = tf.function(served.source, input_signature=list(served.inputs), autograph=False)
        function.get_concrete_function()
    return function


@contextmanager
def unrolled(model: keras.Model) -> Iterator[None]:
    """Trace recurrent layers as one step after the other, since a loop is what those runtimes lack."""
    layers = [layer for layer in all_layers(model) if isinstance(getattr(layer, "unroll", None), bool)]
    settings = [(layer.unroll, getattr(layer, "zero_output_for_mask", None)) for layer in layers]
    for layer in layers:
        layer.unroll = True
        # Keras 3.15 zeroes, of an unrolled layer that goes backwards, what the mask has at the other end.
        if layer.go_backwards:
            layer.zero_output_for_mask = False
    try:
        yield
    finally:
        for layer, (unroll, zero) in zip(layers, settings, strict=True):
            layer.unroll, layer.zero_output_for_mask = unroll, zero


@contextmanager
def quiet_conversion() -> Iterator[None]:
    """Keep the notices of converters, and what NumPy and TensorFlow say of their age, off the terminal."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    # What tf2onnx cannot convert the exporter finds in the graph, and says in a sentence.
    for logger, level in zip(loggers, (logging.ERROR, logging.CRITICAL), strict=True):
        logger.setLevel(level)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _foreign(function: Any) -> list[str]:
    graph = function.graph.as_graph_def()
    functions = [one.node_def for one in graph.library.function]
    names = {node.op for nodes in (graph.node, *functions) for node in nodes}
    return [
        what for what, beginnings in _FOREIGN.items() if any(name.startswith(beginnings) for name in names)
    ]

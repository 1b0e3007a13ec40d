"""The forward pass of a model that is not trained in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from kexp.core.graph_names import stable_graph_names
from kexp.core.keras_private import all_layers, untracked
from kexp.core.trainer_private import call_model
from kexp.core.types import Nest


def forward_pass(model: Any, batch: Nest) -> Any:
    """Return the outputs of a model for a batch, without training.

    A recurrent model takes its steps in a graph, of which it has one for batches and series of any size:
    Python would run the operations of each step one by one, which takes many times as long.

    Args:
        model: A Keras model, or a function of a batch and `training`.
        batch: Tensors as the model takes them, each (samples, ...).
    """
    names = list(batch) if isinstance(batch, dict) else [""]
    tensors = list(batch.values()) if isinstance(batch, dict) else [batch]
    if not all(map(tf.is_tensor, tensors)) or not _is_recurrent(model):
        return call_model(model, batch, training=False)
    kept = untracked(model, "forward_pass")
    specs = [_spec(model, name, tensor) for name, tensor in zip(names, tensors, strict=True)]
    # Other variables than those of before, as LoRA makes them, need a graph of their own.
    key = (*names, *specs, *(id(variable) for variable in model.variables))
    if key not in kept:

        def call(*tensors: tf.Tensor) -> Any:
            given = dict(zip(names, tensors, strict=True)) if isinstance(batch, dict) else tensors[0]
            return call_model(model, given, training=False)

        kept[key] = _traced(call, specs), model.variables
    try:
        return kept[key][0](*tensors)
    except tf.errors.InvalidArgumentError:
        return call_model(model, batch, training=False)  # whose error says what is wrong, without the graph


def _traced(call: Callable[..., Any], specs: Sequence[tf.TensorSpec]) -> Callable[..., Any]:
    """Return a function as a graph, or as it is where Python alone can run it, as `numpy()` of a tensor."""
    try:
        with stable_graph_names():
            return tf.function(call, input_signature=specs, autograph=False).get_concrete_function()
    except (AttributeError, NotImplementedError, TypeError, ValueError, tf.errors.OpError):
        return call


def _is_recurrent(model: Any) -> bool:
    """Return whether a model has layers that go from step to step, and all that it needs to be traced."""
    if not isinstance(model, keras.Model) or getattr(model, "run_eagerly", False):
        return False
    layers = all_layers(model)
    return any(isinstance(layer, keras.layers.RNN) for layer in layers) and all(one.built for one in layers)


def _spec(model: keras.Model, name: str, tensor: tf.Tensor) -> tf.TensorSpec:
    """Return what the graph takes as an input: any number of samples, and of steps where the model does."""
    own: Sequence[int | None] = tensor.shape
    declared = getattr(model, "inputs", None) or ()
    for one in declared:
        if len(one.shape) == len(own) and (one.name == name or (not name and len(declared) == 1)):
            own = [None if size is None else known for size, known in zip(one.shape, own, strict=True)]
    return tf.TensorSpec([None, *own[1:]], tensor.dtype)

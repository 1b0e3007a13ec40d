"""Attention maps: how much each step of a sample looks at each other one, layer by layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kexp.core.keras_private import all_layers
from kexp.core.trainer_private import call_model
from kexp.data.dataset import Inputs
from kexp.evaluation.explain.explained_model import ExplainedModel
from kexp.models.layer_outputs import intercepted
from kexp.models.layers.attention import SelfAttention, SequencePooling


@dataclass(frozen=True)
class AttentionMap:
    """The weights of an attention layer for samples, as means over its heads.

    Attributes:
        layer: Its name.
        heads: How many it has.
        weights: (samples, queries, keys) float32 that add up to 1 over keys; of pooling there is one query.
    """

    layer: str
    heads: int
    weights: np.ndarray


def attention_maps(explained: ExplainedModel, inputs: Inputs) -> tuple[AttentionMap, ...]:
    """Return the attention weights of all layers that attend, in the order in which they do.

    These are Keras's `MultiHeadAttention`, `Attention` and `AdditiveAttention`, and layers of kexp's that
    attend, wherever they are in the model.

    Args:
        explained: The model.
        inputs: A few samples.
    """
    found: list[AttentionMap] = []

    def watch(layer: keras.layers.Layer) -> Any:
        def around(own: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
            output, weights = _attended(layer, own, arguments, options)
            if weights is not None:
                array = np.asarray(weights, np.float32)
                heads = array.shape[1] if array.ndim == 4 else 1
                found.append(
                    AttentionMap(_path(layer), heads, array.mean(axis=1) if array.ndim == 4 else array)
                )
            return output

        return intercepted(layer, around)

    attending = [layer for layer in all_layers(explained.model) if _attends(layer)]
    if not attending:
        return ()
    with ExitStack() as stack:
        for layer in attending:
            stack.enter_context(watch(layer))
        call_model(explained.model, explained.batch(inputs), training=False)
    return tuple(found)


def _attends(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, SelfAttention | SequencePooling):
        return True
    return isinstance(layer, keras.layers.MultiHeadAttention | keras.layers.Attention) and (
        "return_attention_scores" in inspect.signature(layer.call).parameters
    )


def _attended(
    layer: keras.layers.Layer, own: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Any, Any]:
    """Return the output of a layer, and its weights (samples, [heads,] queries, keys)."""
    if isinstance(layer, SelfAttention | SequencePooling):
        return own(*arguments, **options), layer.attention_weights(*arguments, **options)
    if options.get("return_attention_scores"):
        outputs = own(*arguments, **options)
        return outputs, outputs[1]
    return own(*arguments, **{**options, "return_attention_scores": True})


def _path(layer: keras.layers.Layer) -> str:
    """Return a name that tells layers of one name apart, such as "block_0/attention"."""
    return str(layer.path or layer.name)

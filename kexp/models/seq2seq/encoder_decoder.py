"""A recurrent encoder and decoder with attention, from one sequence of tokens to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import keras
from keras import layers, ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.models.layers.dropout import drop
from kexp.models.layers.masking import until_last
from kexp.models.rnn import CELLS, with_first

__all__ = ["seq2seq"]


def seq2seq(
    source_vocabulary: int,
    target_vocabulary: int,
    *,
    cell: Literal["lstm", "gru"] = "lstm",
    units: int = 128,
    embedding: int = 64,
    attention: bool = True,
    bidirectional: bool = True,
    dropout: float = 0.0,
) -> keras.Model:
    """Build an encoder and a decoder: given the source and the tokens so far, the logits of the next one.

    Sutskever, Vinyals and Le 2014, "Sequence to sequence learning with neural networks", with the global
    attention of Luong, Pham and Manning 2015, "Effective approaches to attention-based neural machine
    translation" (score "general", without input feeding, so that all steps are trained at once). The decoder
    begins with the encoder's last state. Padding stands at the end, and more of it changes nothing.
    `kexp.models.beam_search` finds the outputs.

    Args:
        source_vocabulary: Number of tokens of the source, padding (token 0) included.
        target_vocabulary: Number of tokens of the target, padding, start and end included.
        cell: "lstm" (default) or "gru".
        units: Units of the decoder, default 128. An encoder of both directions has half of them in each, so
            that they must be even.
        embedding: Numbers of a token's vector, default 64.
        attention: Whether the decoder looks at each step of the source (default) or knows its last state.
        bidirectional: Whether the encoder goes in both directions (default).
        dropout: Share dropped of the embeddings and of what the last layer sees, default 0, below 1.

    Returns:
        An uncompiled model of two inputs: `source`, (batch, source steps) int32, and `previous`, (batch,
        target steps) int32, the target one step later, behind a start token. It gives (batch, target steps,
        target vocabulary) float32.

    Raises:
        InputError: The units cannot be shared by two directions.

    Example:
        >>> model = seq2seq(20, 15, units=32, embedding=8)
        >>> model.output_shape, model.count_params()
        ((None, None, 15), 12295)
    """
    if bidirectional and units % 2:
        raise InputError(f"units must be even for an encoder of both directions; received {units}.")
    width = units // 2 if bidirectional else units
    encoder: Any = CELLS[cell](width, return_sequences=True, return_state=True, name="encoder")
    part: dict[str, Any] = {
        "source_tokens": _vectors(source_vocabulary, embedding, "source_tokens"),
        "target_tokens": _vectors(target_vocabulary, embedding, "target_tokens"),
        "encoder": layers.Bidirectional(encoder, name="encoder") if bidirectional else encoder,
        "decoder": CELLS[cell](units, return_sequences=True, return_state=True, name="decoder"),
        "logits": layers.Dense(target_vocabulary, dtype="float32", name="logits"),
    }
    if attention:
        part["keys"] = layers.Dense(units, use_bias=False, name="keys")
        part["attend"] = layers.Dense(units, "tanh", use_bias=False, name="attend")
    source = keras.Input((None,), dtype="int32", name="source")
    previous = keras.Input((None,), dtype="int32", name="previous")
    read = encode(part, source, dropout)
    vectors = drop(dropout)(part["target_tokens"](previous))  # (batch, target steps, embedding)
    hidden = part["decoder"](vectors, initial_state=read.states)[0]  # (batch, target steps, units)
    answers = part["logits"](drop(dropout)(attended(part, hidden, read)))
    return keras.Model([source, previous], answers, name="seq2seq")


def _vectors(vocabulary: int, width: int, name: str) -> Any:
    # With Keras's own start, up to 0.05, states are so small at first that attention has hardly a gradient.
    start = keras.initializers.RandomNormal(stddev=1.0)
    return layers.Embedding(vocabulary, width, embeddings_initializer=start, name=name)


class Read(NamedTuple):
    """What the encoder knows of the source.

    Attributes:
        memory: (batch, source steps, units).
        keys: The same projected, which the decoder compares with its state; None without attention.
        mask: (batch, source steps) bool, False at padding.
        states: The decoder's first states, each (batch, units).
    """

    memory: Any
    keys: Any
    mask: Any
    states: list[Any]


def encode(part: Mapping[str, Any], source: Tensor, dropout: float = 0.0) -> Read:
    """Return what the encoder among the layers `part` knows of the source, (batch, source steps)."""
    mask = with_first(until_last(ops.not_equal(source, 0)))
    memory, *states = part["encoder"](drop(dropout)(part["source_tokens"](source)), mask=mask)
    if isinstance(part["encoder"], layers.Bidirectional):
        half = len(states) // 2
        both = zip(states[:half], states[half:], strict=True)
        states = [ops.concatenate(pair, axis=-1) for pair in both]
    keys = part["keys"](memory) if "keys" in part else None
    return Read(memory, keys, mask, states)


def attended(part: Mapping[str, Any], hidden: Tensor, read: Read) -> Any:
    """Return (batch, target steps, units), the decoder's outputs after a look at the source."""
    if read.keys is None:
        return hidden
    scores = ops.matmul(hidden, ops.transpose(read.keys, (0, 2, 1)))  # (batch, target steps, source steps)
    # In float32: half precision cannot hold what stands for minus infinity.
    scores = ops.where(ops.expand_dims(read.mask, 1), ops.cast(scores, "float32"), -1e9)
    context = ops.matmul(ops.cast(ops.softmax(scores), hidden.dtype), read.memory)
    return part["attend"](ops.concatenate([context, hidden], axis=-1))

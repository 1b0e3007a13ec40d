"""Beam search: the most probable answer of a recurrent encoder and decoder."""

from __future__ import annotations

from typing import Annotated, Any

import keras
from keras import ops

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.core.graph_names import stable_graph_names
from kexp.core.keras_private import untracked
from kexp.core.types import Tensor, TensorLike
from kexp.models.seq2seq.encoder_decoder import Read, attended, encode

__all__ = ["beam_search", "scored_beam_search"]

_NEVER = -1e9  # log probability of what cannot be


def beam_search(
    model: keras.Model, source: TensorLike, *, start: int, end: int, steps: int, beam: int = 1
) -> Any:
    """Return the most probable sequences that a search over so many candidates finds.

    After each step the candidates are the `beam` most probable beginnings. The score is the sum of log
    probabilities; it is not divided by the length, so that short sequences are favoured. With as many
    candidates as there are beginnings the search is exact. Padding is never chosen before the end. The
    encoder runs once, and the decoder carries its state from step to step in one loop.

    Called with arrays it compiles the loop once for each `start`, `end`, `steps` and `beam`, and the model
    keeps it; inside a tf.function, to export it for one, it becomes part of the graph.

    Args:
        model: From `seq2seq`, or such a one loaded from a file.
        source: (batch, source steps) of tokens, 0 for padding.
        start: Token that a sequence begins behind.
        end: Token that ends it.
        steps: Most tokens of a sequence, its end included.
        beam: Candidates kept, default 1: the most probable token of each step.

    Returns:
        (batch, steps) int32, sequences with their end, then 0.

    Raises:
        InputError: The model is another one, or an argument is out of range.

    Example:
        >>> import kexp
        >>> model = kexp.models.seq2seq(20, 15, units=8, embedding=4)
        >>> beam_search(model, [[3, 4, 5, 0]], start=1, end=2, steps=6, beam=3).shape
        TensorShape([1, 6])
    """
    return scored_beam_search(model, source, start=start, end=end, steps=steps, beam=beam)[0]


def scored_beam_search(
    model: keras.Model, source: TensorLike, *, start: int, end: int, steps: int, beam: int = 1
) -> tuple[Any, Any]:
    """Return the sequences of `beam_search` and how probable the model holds each of them.

    Args:
        model: As in `beam_search`, as are all other arguments.
        source: (batch, source steps) of tokens, 0 for padding.
        start: Token that a sequence begins behind.
        end: Token that ends it.
        steps: Most tokens of a sequence, its end included.
        beam: Candidates kept, default 1.

    Returns:
        (batch, steps) int32, and (batch,) float32, the sums of the tokens' natural log probabilities.

    Raises:
        InputError: As in `beam_search`.

    Example:
        >>> import kexp
        >>> model = kexp.models.seq2seq(20, 15, units=8, embedding=4)
        >>> tokens, log_probability = scored_beam_search(model, [[3, 4, 0]], start=1, end=2, steps=6)
        >>> tokens.shape, log_probability.shape
        (TensorShape([1, 6]), TensorShape([1]))
    """
    _check(model, start, end, steps, beam)
    # keras.ops cannot compile a function.
    import tensorflow as tf

    def search(source: Tensor) -> tuple[Any, Any]:
        return _search(model, source, start, end, steps, beam)

    if tf.inside_function():
        return search(source)
    kept = untracked(model, "beam_search")
    kind = (start, end, steps, beam)
    if kind not in kept:
        signature = [tf.TensorSpec([None, None], tf.int32)]
        traced = tf.function(search, input_signature=signature, autograph=False)
        with stable_graph_names():
            kept[kind] = traced.get_concrete_function()
    return kept[kind](tf.convert_to_tensor(source, tf.int32))


def _check(model: keras.Model, start: int, end: int, steps: int, beam: int) -> None:
    found = {layer.name: layer for layer in model.layers}
    if not {"source_tokens", "target_tokens", "encoder", "decoder", "logits"} <= set(found):
        raise InputError(f"model must be one that kexp.models.seq2seq built; received {model.name!r}.")
    vocabulary = found["logits"].units
    for name, token in (("start", start), ("end", end)):
        if not 0 < token < vocabulary:
            raise InputError(f"{name} must be a token from 1 to {vocabulary - 1}; received {token!r}.")
    check_value("steps", steps, Annotated[int, AtLeast(1)])
    check_value("beam", beam, Annotated[int, AtLeast(1)])


def _search(
    model: keras.Model, source: TensorLike, start: int, end: int, steps: int, beam: int
) -> tuple[Any, Any]:
    part = {layer.name: layer for layer in model.layers}
    vocabulary = part["logits"].units
    read = encode(part, source)
    # A row for each candidate, those of a sample one after the other.
    keys = None if read.keys is None else ops.repeat(read.keys, beam, axis=0)
    memory, mask = ops.repeat(read.memory, beam, axis=0), ops.repeat(read.mask, beam, axis=0)
    read = Read(memory, keys, mask, [ops.repeat(state, beam, axis=0) for state in read.states])
    rows = ops.shape(read.states[0])[0]  # batch * beam
    samples = ops.arange(rows) // beam  # (rows,), the sample of each candidate
    after_end = ops.where(ops.arange(vocabulary) == 0, 0.0, _NEVER)  # nothing but padding
    before_end = ops.where(ops.arange(vocabulary) == 0, _NEVER, 0.0)

    def body(step: Tensor, answers: Tensor, scores: Tensor, last: Tensor, states: Any) -> Any:
        hidden, states = part["decoder"].cell(part["target_tokens"](last), states)  # (rows, units)
        logits = part["logits"](attended(part, hidden[:, None], read))[:, 0]  # (rows, vocabulary)
        ended = ops.expand_dims(_ended(last, end), -1)  # (rows, 1)
        gained = ops.where(ended, after_end, ops.log_softmax(logits) + before_end)
        totals = ops.reshape(ops.expand_dims(scores, -1) + gained, (-1, beam * vocabulary))
        scores, best = ops.top_k(totals, beam)  # (batch, beam)
        best = ops.reshape(best, (rows,))
        parents = samples * beam + best // vocabulary  # (rows,)
        chosen = best % vocabulary
        answers = ops.where(ops.arange(steps) == step, chosen[:, None], ops.take(answers, parents, axis=0))
        states = [ops.take(state, parents, axis=0) for state in states]
        return step + 1, answers, ops.reshape(scores, (rows,)), chosen, states

    def goes_on(step: Tensor, answers: Tensor, scores: Tensor, last: Tensor, states: Any) -> Any:
        # A score only falls, so that nothing overtakes a best candidate that has ended.
        return ops.logical_not(ops.all(_ended(last, end)[::beam]))

    zeros = ops.zeros((rows, steps), dtype="int32")
    # All candidates begin alike, so that at first only one of them counts.
    scores = ops.where(ops.arange(rows) % beam == 0, 0.0, _NEVER)
    last = ops.full((rows,), start, dtype="int32")
    state = (ops.convert_to_tensor(0), zeros, scores, last, read.states)
    _, answers, scores, *_ = ops.while_loop(goes_on, body, state, maximum_iterations=steps)
    # top_k has the best first.
    return ops.reshape(answers, (-1, beam, steps))[:, 0], ops.reshape(scores, (-1, beam))[:, 0]


def _ended(last: Tensor, end: int) -> Any:
    return ops.logical_or(ops.equal(last, end), ops.equal(last, 0))

"""Sampling from a causal language model, with what each step has computed kept for the next ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import keras
import numpy as np
from keras import ops

from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.errors import InputError
from kexp.core.graph_names import stable_graph_names
from kexp.core.keras_private import untracked
from kexp.core.types import Tensor
from kexp.models.layers.attention import TransformerBlock
from kexp.models.layers.embeddings import TokenEmbedding

__all__ = ["generate"]


def generate(
    model: keras.Model,
    prompt: Any,
    *,
    tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    lowest: int = 0,
    cache: bool = True,
) -> np.ndarray:
    """Continue a prompt with tokens drawn from a language model, one after the other.

    The first call for a shape of prompt, a number of tokens and a kind of drawing compiles a loop, which the
    model keeps: later ones are fast, and see the weights as they are then.

    Args:
        model: From `transformer_decoder`, or such a one loaded from a file.
        prompt: (batch, steps) of tokens, without padding.
        tokens: How many to add, 1 or more; the model's context holds prompt and tokens.
        temperature: What logits are divided by, default 1; at 0 the most likely token is taken.
        top_k: Draw among so many most likely tokens; None (default) among all.
        top_p: Draw among the fewest most likely tokens whose probabilities reach this, above 0 to 1, after
            `top_k` (Holtzman et al. 2020, "The curious case of neural text degeneration"); None (default)
            among all.
        seed: Of the draws, default 0. Those of a position depend on the seed and the position alone, so a
            text may be continued in several calls.
        lowest: Number of the lowest token to draw, default 0; above those that are no text.
        cache: Whether keys and values of earlier steps are kept (default) or computed anew for each token.

    Returns:
        (batch, steps + tokens) int32, which begin with the prompt.

    Raises:
        InputError: The model is another one, its context is too short, or an argument is out of range.

    Example:
        >>> import kexp
        >>> model = kexp.models.transformer_decoder(16, 50, width=16, depth=1)
        >>> generate(model, [[1, 2, 3]], tokens=5, top_k=10, seed=1).shape
        (1, 8)
    """
    prompt = _checked(model, prompt, tokens, lowest)
    check_drawing(temperature, top_k, top_p)
    kept = untracked(model, "generate")
    kind = (prompt.shape, tokens, temperature > 0, (top_k or top_p) is not None, lowest, cache)
    if kind not in kept:
        kept[kind] = _compiled(model, *kind)
    largest = np.int32(2**31 - 1)
    narrowing = np.int32(min(top_k or largest, largest)), np.float32(top_p or np.inf)
    return kept[kind](prompt, np.float32(temperature or 1), *narrowing, np.int64(seed))


def check_drawing(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Raise an InputError if tokens cannot be drawn so; see `generate`."""
    check_value("temperature", temperature, Annotated[float, AtLeast(0)])
    check_value("top_k", top_k, Annotated[int, AtLeast(1)] | None)
    if top_p is not None and not 0 < top_p <= 1:
        raise InputError(f"top_p must be above 0, to 1, or None; received {top_p!r}.")


def _checked(model: keras.Model, prompt: Any, tokens: int, lowest: int) -> np.ndarray:
    found = {layer.name: layer for layer in model.layers}
    embedding, blocks = found.get("tokens"), _blocks(model)
    if not (isinstance(embedding, TokenEmbedding) and blocks and all(block.causal for block in blocks)):
        raise InputError(
            f"model must be one that kexp.models.transformer_decoder built; received {model.name!r}."
        )
    prompt = np.asarray(prompt)
    if prompt.ndim != 2 or not prompt.size or not np.issubdtype(prompt.dtype, np.integer):
        raise InputError(
            "prompt must be whole numbers of shape (batch, steps), 1 or more each; "
            f"received {prompt.dtype} of shape {prompt.shape}."
        )
    if prompt.min() < 0 or prompt.max() >= embedding.vocabulary:
        raise InputError(
            f"prompt must be tokens from 0 to {embedding.vocabulary - 1}; "
            f"received {prompt.min()} to {prompt.max()}."
        )
    check_value("tokens", tokens, Annotated[int, AtLeast(1)])
    check_value("lowest", lowest, Annotated[int, Between(0, embedding.vocabulary - 1)])
    context, steps = model.input_shape[1], prompt.shape[1]
    if steps + tokens > context:
        raise InputError(
            f"prompt and tokens must be at most {context} together, the model's context; received {steps} "
            f"and {tokens}, so shorten the prompt or ask for fewer tokens."
        )
    return prompt.astype("int32")


def _blocks(model: keras.Model) -> list[TransformerBlock]:
    return [layer for layer in model.layers if isinstance(layer, TransformerBlock)]


def _compiled(
    model: keras.Model,
    shape: tuple[int, int],
    tokens: int,
    drawn: bool,
    narrow: bool,
    lowest: int,
    cache: bool,
) -> Callable[..., np.ndarray]:
    # keras.ops cannot compile a function.
    import tensorflow as tf

    def choose(
        logits: Tensor, position: Tensor, temperature: Tensor, top_k: Tensor, top_p: Tensor, seed: Tensor
    ) -> Any:
        logits = from_token(logits, lowest)
        if drawn:
            logits = narrowed(logits / temperature, top_k, top_p) if narrow else logits / temperature
            logits = logits + gumbel_noise(ops.shape(logits), seed, position)
        return ops.argmax(logits, axis=-1)

    def loop(prompt: Tensor, temperature: Tensor, top_k: Tensor, top_p: Tensor, seed: Tensor) -> Any:
        def body(position: Tensor, text: Tensor, caches: Any) -> Any:
            if cache:
                last = ops.slice(text, (0, position - 1), (shape[0], 1))
                logits, caches = _step(model, last, caches, position - 1)
            else:
                logits = _without_cache(model, text, position)
            chosen = choose(logits, position, temperature, top_k, top_p, seed)  # (batch,)
            text = ops.slice_update(text, (0, position), ops.cast(chosen, "int32")[:, None])
            return position + 1, text, caches

        text = ops.pad(prompt, ((0, 0), (0, tokens)))  # (batch, steps + tokens)
        caches = _filled(model, prompt, shape[1] + tokens) if cache else []
        state = (ops.convert_to_tensor(shape[1]), text, caches)
        return ops.while_loop(lambda *_: True, body, state, maximum_iterations=tokens)[1]

    # Under XLA, which takes a tenth of the time on two CPU cores: a step is many small operations.
    kinds = [(shape, "int32"), ((), "float32"), ((), "int32"), ((), "float32"), ((), "int64")]
    with stable_graph_names():
        compiled = tf.function(loop, autograph=False, jit_compile=True).get_concrete_function(
            *(tf.TensorSpec(*kind) for kind in kinds)
        )

    def run(*arguments: Any) -> np.ndarray:
        return compiled(*(tf.constant(argument) for argument in arguments)).numpy()

    return run


def _step(model: keras.Model, tokens: Tensor, caches: Any, start: Tensor) -> tuple[Any, Any]:
    """Return (batch, vocabulary), the logits after the last of the next tokens, and the caches with these."""
    layers = {layer.name: layer for layer in model.layers}
    x = layers["tokens"](tokens)  # (batch, steps, width)
    if "positions" in layers:
        x = layers["positions"].step(x, start)
    grown = []
    for block, cache in zip(_blocks(model), caches, strict=True):
        x, cache = block.step(x, cache, start)
        grown.append(cache)
    last = layers["norm"](x[:, -1:])
    return layers["tokens"](last, reverse=True)[:, 0], grown


def _filled(model: keras.Model, prompt: Any, context: int) -> Any:
    """Return the caches of all of a prompt but its last token."""
    caches = [block.attention.empty_cache(prompt.shape[0], context) for block in _blocks(model)]
    return _step(model, prompt[:, :-1], caches, 0)[1] if prompt.shape[1] > 1 else caches


def _without_cache(model: keras.Model, text: Tensor, position: Tensor) -> Any:
    missing = model.input_shape[1] - text.shape[1]
    logits = model(ops.pad(text, ((0, 0), (0, missing))), training=False)  # (batch, context, vocabulary)
    return ops.slice(logits, (0, position - 1, 0), (text.shape[0], 1, logits.shape[-1]))[:, 0]


def from_token(logits: Tensor, lowest: int) -> Any:
    """Return (batch, vocabulary), the logits of tokens below `lowest` minus infinity."""
    return ops.where(ops.arange(logits.shape[-1]) < lowest, -np.inf, logits) if lowest else logits


def gumbel_noise(shape: Any, seed: Tensor, position: Tensor) -> Any:
    """Return float32 numbers, the same for the same int64 seed and position.

    The largest of logits with such noise is a draw from their softmax (the Gumbel-max trick).
    """
    # keras.ops cannot draw from a seed that is a tensor.
    import tensorflow as tf

    seeds = ops.stack([seed, ops.cast(position, "int64")])
    return -ops.log(-ops.log(tf.random.stateless_uniform(shape, seeds, alg="philox")))


def narrowed(logits: Tensor, top_k: Tensor, top_p: Tensor) -> Any:
    """Return (batch, vocabulary), minus infinity where a token is not among the most likely ones.

    Args:
        logits: (batch, vocabulary), divided by the temperature.
        top_k: How many are, an integer; a very large one for all of them.
        top_p: What the probability of the fewest that are reaches, a float; infinite for all of them.
    """
    ordered = ops.flip(ops.sort(logits, axis=-1), axis=-1)  # (batch, vocabulary), falling
    ranked = ops.arange(logits.shape[-1]) < top_k
    shares = ops.softmax(ops.where(ranked, ordered, -np.inf), axis=-1)
    before = ops.cumsum(shares, axis=-1) - shares  # probability of all that are more likely
    kept = ops.logical_and(ranked, before < top_p)
    least = ops.min(ops.where(kept, ordered, np.inf), axis=-1, keepdims=True)
    return ops.where(logits >= least, logits, -np.inf)

"""Attention, the block that Transformers repeat, and pooling by attention."""

from __future__ import annotations

from typing import Any, get_type_hints

import keras
from keras import layers, ops

from kexp.core.constraints import check_value
from kexp.core.transformer_arguments import TransformerArguments
from kexp.core.types import Shape, Tensor
from kexp.models.layers.dropout import StochasticDepth, drop
from kexp.models.layers.rotary_positions import check_width, rotate

__all__ = ["SelfAttention", "SequencePooling", "TransformerBlock"]

Cache = tuple[Any, Any]  # keys and values so far, each (batch, context, heads, size)


@keras.saving.register_keras_serializable(package="kexp")
class SelfAttention(keras.layers.Layer):
    """Each step looks at the others: scaled dot-product attention of several heads.

    Queries, keys and values have no bias. A step that may look at nothing looks at all evenly, so that
    samples of padding alone give numbers too (Vaswani et al. 2017, "Attention is all you need").

    Args:
        heads: Heads, which share the width evenly.
        rotary: Whether queries and keys are turned by their positions (Su et al. 2021), default False.
        causal: Whether a step sees only itself and those before it, default False.
        normalized: Whether each head divides its queries and keys by their root mean square before they are
            turned (Henry et al. 2020, "Query-key normalization for Transformers"), default False.
        zero_init: Whether the last kernel begins at zero, default False.

    Raises:
        InputError: The width of the inputs is not a multiple of the heads, or the share of each is odd
            with rotary positions.

    Example:
        >>> SelfAttention(heads=4, rotary=True)(keras.ops.ones((2, 10, 32))).shape
        TensorShape([2, 10, 32])
    """

    def __init__(
        self,
        heads: int,
        *,
        rotary: bool = False,
        causal: bool = False,
        normalized: bool = False,
        zero_init: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.heads, self.rotary, self.causal = heads, rotary, causal
        self.normalized, self.zero_init = normalized, zero_init

    def build(self, input_shape: Shape) -> None:
        width = input_shape[-1]
        check_width(width, self.heads, self.rotary)
        self.project = layers.Dense(3 * width, use_bias=False, dtype=self.dtype_policy, name="project")
        last = {"kernel_initializer": "zeros"} if self.zero_init else {}
        self.merge = layers.Dense(width, dtype=self.dtype_policy, name="merge", **last)
        self.project.build(input_shape)
        self.merge.build(input_shape)
        self.head_norms = []
        for name in ("query_norm", "key_norm") if self.normalized else ():
            self.head_norms.append(layers.RMSNormalization(dtype=self.dtype_policy, name=name))
            self.head_norms[-1].build((*input_shape[:-1], self.heads, width // self.heads))

    def call(self, inputs: Tensor, valid: Tensor | None = None) -> Any:
        """Attend among all steps.

        Args:
            inputs: (batch, steps, width).
            valid: (batch, steps) bool, False at the steps that none may look at; None (default): no such.

        Returns:
            (batch, steps, width).
        """
        queries, keys, values = self._heads(inputs, 0)
        return self._merged(queries, keys, values, self._allowed(inputs, valid))

    def attention_weights(self, inputs: Tensor, valid: Tensor | None = None) -> Any:
        """Return how much each step looks at each other one, (batch, heads, queries, keys); as `call`."""
        queries, keys, _ = self._heads(inputs, 0)
        scores = ops.einsum("bqhs,bkhs->bhqk", ops.cast(queries, "float32"), ops.cast(keys, "float32"))
        scores = scores / ops.sqrt(float(queries.shape[-1]))
        allowed = self._allowed(inputs, valid)
        return ops.softmax(scores if allowed is None else ops.where(allowed, scores, -1e9))

    def step(self, inputs: Tensor, cache: Cache, start: Tensor) -> tuple[Any, Cache]:
        """Attend causally from the next steps to these and to those in the cache.

        Args:
            inputs: (batch, steps, width), the next steps.
            cache: Keys and values, each (batch, context, heads, width / heads), known before `start`.
            start: Position of the first of the next steps, an integer.

        Returns:
            (batch, steps, width), and the cache with these steps.
        """
        queries, keys, values = self._heads(inputs, start)
        cached_keys = ops.slice_update(cache[0], (0, start, 0, 0), keys)
        cached_values = ops.slice_update(cache[1], (0, start, 0, 0), values)
        allowed = self._past(start, inputs.shape[1], cached_keys.shape[1])
        return self._merged(queries, cached_keys, cached_values, allowed), (cached_keys, cached_values)

    def empty_cache(self, batch: int, context: int) -> Cache:
        """Return a cache of so many steps, none of them known."""
        width = self.merge.units
        empty = ops.zeros((batch, context, self.heads, width // self.heads), dtype=self.compute_dtype)
        return empty, empty

    def _allowed(self, inputs: Tensor, valid: Tensor | None) -> Any:
        """Return (batch, heads, queries, keys) bool, which axes of 1 stand for; None: each looks at all."""
        allowed = None if valid is None else valid[:, None, None, :]
        if self.causal:
            past = self._past(0, ops.shape(inputs)[1], ops.shape(inputs)[1])
            allowed = past if allowed is None else ops.logical_and(allowed, past)
        return allowed

    def _heads(self, inputs: Tensor, start: Tensor) -> Any:
        steps = ops.shape(inputs)[1]
        projected = self.project(inputs)  # (batch, steps, 3 * width)
        shape = (-1, steps, 3, self.heads, inputs.shape[-1] // self.heads)
        queries, keys, values = ops.unstack(ops.reshape(projected, shape), 3, axis=2)
        if self.normalized:
            queries, keys = (
                norm(vectors) for norm, vectors in zip(self.head_norms, (queries, keys), strict=True)
            )
        if self.rotary:
            queries, keys = rotate(queries, start), rotate(keys, start)
        return queries, keys, values  # each (batch, steps, heads, size)

    def _past(self, start: Tensor, steps: Tensor, context: Tensor) -> Any:
        return (ops.arange(context) <= start + ops.arange(steps)[:, None])[
            None, None
        ]  # (1, 1, steps, context)

    def _merged(self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor) -> Any:
        # Keras's own: its softmax is in float32, and what it masks is finite, so never NaN.
        attended = ops.dot_product_attention(queries, keys, values, mask=allowed)
        shape = (-1, ops.shape(queries)[1], self.merge.units)
        return self.merge(ops.reshape(attended, shape))  # (batch, steps, width)

    def compute_output_shape(self, input_shape: Shape, *_: Any, **__: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        names = ("heads", "rotary", "causal", "normalized", "zero_init")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="kexp")
class TransformerBlock(keras.layers.Layer):
    """Attention, then two dense layers, each on normalised inputs and added to them.

    Normalising before and not after lets deep networks train without a warm-up (Xiong et al. 2020, "On
    layer normalization in the Transformer architecture").

    Args:
        heads: Heads of the attention.
        expansion: Units of the first dense layer, as a multiple of the width.
        rotary: Whether the attention has rotary positions, default False.
        causal: Whether a step sees only itself and those before it, default False.
        activation: Between the dense layers, default "gelu".
        block_norm, feed_forward, query_key_norm, zero_init: As in `kexp.TransformerArguments`, default
            None.
        dropout: Share of what is added that is dropped, default 0, below 1.
        stochastic_depth: Share of samples for which nothing is added, default 0, below 1.

    Example:
        >>> TransformerBlock(heads=4, expansion=2)(keras.ops.ones((2, 10, 32))).shape
        TensorShape([2, 10, 32])
    """

    def __init__(
        self,
        heads: int,
        expansion: int,
        *,
        rotary: bool = False,
        causal: bool = False,
        activation: str = "gelu",
        block_norm: str | None = None,
        feed_forward: str | None = None,
        query_key_norm: bool | None = None,
        zero_init: bool | None = None,
        dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        hints = get_type_hints(TransformerArguments)
        check_value("block_norm", block_norm, hints["block_norm"])
        check_value("feed_forward", feed_forward, hints["feed_forward"])
        self.block_norm, self.feed_forward = block_norm or "layer", feed_forward or "dense"
        self.query_key_norm, self.zero_init = bool(query_key_norm), bool(zero_init)
        self.heads, self.expansion, self.rotary, self.causal = heads, expansion, rotary, causal
        self.activation, self.dropout, self.stochastic_depth = activation, dropout, stochastic_depth

    def build(self, input_shape: Shape) -> None:
        width, policy = input_shape[-1], self.dtype_policy
        self.attention_norm = block_normalization(self.block_norm, dtype=policy, name="attention_norm")
        self.attention = SelfAttention(
            self.heads,
            rotary=self.rotary,
            causal=self.causal,
            normalized=self.query_key_norm,
            zero_init=self.zero_init,
            dtype=policy,
            name="attention",
        )
        self.dense_norm = block_normalization(self.block_norm, dtype=policy, name="dense_norm")
        units = self.expansion * width
        if self.feed_forward == "swiglu":
            units = 2 * units // 3  # three matrices have as many numbers then as two have else
        between = {"dense": self.activation, "relu_squared": relu_squared, "swiglu": None}[self.feed_forward]
        projected = 2 * units if self.feed_forward == "swiglu" else units
        self.expand = layers.Dense(projected, between, dtype=policy, name="expand")
        last = {"kernel_initializer": "zeros"} if self.zero_init else {}
        self.contract = layers.Dense(width, dtype=policy, name="contract", **last)
        for layer in (self.attention_norm, self.attention, self.dense_norm, self.expand):
            layer.build(input_shape)
        self.contract.build((*input_shape[:-1], units))
        self.drops = [layers.Dropout(self.dropout, dtype=policy) for _ in range(2) if self.dropout]
        self.skips = [
            StochasticDepth(self.stochastic_depth, dtype=policy) for _ in range(2) if self.stochastic_depth
        ]

    def call(self, inputs: Tensor, valid: Tensor | None = None, training: bool = False) -> Any:
        """Return (batch, steps, width) of the same shape; `valid` as for `SelfAttention`."""
        attended = self.attention(self.attention_norm(inputs), valid=valid)
        x = inputs + self._thinned(attended, 0, training)
        return x + self._thinned(self._dense(x), 1, training)

    def step(self, inputs: Tensor, cache: Cache, start: Tensor) -> tuple[Any, Cache]:
        """Return what `call` does for the next steps, without training; see `SelfAttention.step`."""
        inputs = ops.cast(inputs, self.compute_dtype)
        attended, cache = self.attention.step(self.attention_norm(inputs), cache, start)
        x = inputs + attended
        return x + self._dense(x), cache

    def _dense(self, x: Tensor) -> Any:
        x = self.expand(self.dense_norm(x))
        if self.feed_forward == "swiglu":
            gate, x = ops.split(x, 2, axis=-1)  # each (batch, steps, units)
            x = ops.silu(gate) * x
        return self.contract(x)

    def _thinned(self, branch: Tensor, number: int, training: bool) -> Any:
        for layer in (*self.drops[number : number + 1], *self.skips[number : number + 1]):
            branch = layer(branch, training=training)
        return branch

    def compute_output_shape(self, input_shape: Shape, *_: Any, **__: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        names = ("heads", "expansion", "rotary", "causal", "activation", "dropout", "stochastic_depth")
        today = ("block_norm", "feed_forward", "query_key_norm", "zero_init")
        return {**super().get_config(), **{name: getattr(self, name) for name in (*names, *today)}}


@keras.saving.register_keras_serializable(package="kexp")
class SequencePooling(keras.layers.Layer):
    """The mean of the steps, weighted by a learned softmax over them (Hassani et al. 2021, section 3.2).

    Example:
        >>> SequencePooling()(keras.ops.ones((2, 10, 32))).shape
        TensorShape([2, 32])
    """

    def build(self, input_shape: Shape) -> None:
        # Without the paper's bias: the softmax takes it away.
        self.score = layers.Dense(1, use_bias=False, dtype=self.dtype_policy, name="score")
        self.score.build(input_shape)

    def call(self, inputs: Tensor, valid: Tensor | None = None) -> Any:
        """Return (batch, width) of (batch, steps, width), the steps without those that are not valid."""
        shares = ops.cast(self.attention_weights(inputs, valid), inputs.dtype)
        return ops.matmul(shares, inputs)[:, 0]  # (batch, width)

    def attention_weights(self, inputs: Tensor, valid: Tensor | None = None) -> Any:
        """Return the share of each step in the mean, (batch, 1, steps) float32; as `call`."""
        scores = ops.cast(self.score(inputs)[..., 0], "float32")  # (batch, steps)
        if valid is not None:
            scores = ops.where(valid, scores, -1e9)
        return ops.softmax(scores)[:, None]

    def compute_output_shape(self, input_shape: Shape, *_: Any, **__: Any) -> Any:
        return (input_shape[0], input_shape[-1])


def blocks(
    x: Tensor,
    depth: int,
    *,
    valid: Tensor | None = None,
    dropout: float,
    stochastic_depth: float = 0.0,
    **options: Any,
) -> Any:
    """Return `x` after dropout, so many blocks, and the normalisation that blocks of this kind end with.

    Args:
        x: (batch, steps, width).
        depth: Number of blocks.
        valid: (batch, steps) bool, or None (default).
        dropout: Of the inputs and of each block.
        stochastic_depth: Of the last block; it grows linearly over the blocks.
        **options: Arguments of `TransformerBlock`.
    """
    x = drop(dropout)(x)
    for number in range(depth):
        skipped = stochastic_depth * (number + 1) / depth
        block = TransformerBlock(dropout=dropout, stochastic_depth=skipped, name=f"block_{number}", **options)
        x = block(x, valid=valid)
    return block_normalization(options.get("block_norm"), name="norm")(x)


def block_normalization(kind: str | None, **options: Any) -> keras.Layer:
    """Return the layer "rms", by the root mean square alone, or "layer", which None stands for."""
    return (layers.RMSNormalization if kind == "rms" else layers.LayerNormalization)(**options)


def relu_squared(x: Tensor) -> Any:
    """Return max(x, 0)² (So et al. 2021, "Primer: searching for efficient Transformers")."""
    return ops.square(ops.relu(x))

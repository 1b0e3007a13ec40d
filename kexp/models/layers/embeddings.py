"""What a sequence begins as: vectors for tokens, and for positions."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kexp.core.types import Shape, Tensor

__all__ = ["LearnedPositions", "TokenEmbedding"]


@keras.saving.register_keras_serializable(package="kexp")
class TokenEmbedding(keras.layers.Layer):
    """A vector for each token; the other way round, a logit for each token (Press and Wolf 2017).

    The vectors are scaled by the root of the width (Vaswani et al. 2017, section 3.4), so that they have a
    size that suits a layer's input while the table has one that suits an output layer.

    Args:
        vocabulary: Number of tokens, padding included.
        width: Numbers of a vector.

    Example:
        >>> embedding = TokenEmbedding(vocabulary=100, width=8)
        >>> vectors = embedding(keras.ops.ones((2, 5), dtype="int32"))
        >>> vectors.shape, embedding(vectors, reverse=True).shape
        (TensorShape([2, 5, 8]), TensorShape([2, 5, 100]))
    """

    def __init__(self, vocabulary: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary, self.width = vocabulary, width

    def build(self, input_shape: Shape) -> None:
        start = keras.initializers.RandomNormal(stddev=self.width**-0.5)
        self.table = self.add_weight(
            shape=(self.vocabulary, self.width), initializer=start, name="embeddings"
        )

    def call(self, inputs: Tensor, reverse: bool = False) -> Any:
        """Return (batch, steps, width) of (batch, steps) tokens, or the logits of such vectors."""
        if reverse:
            return ops.matmul(inputs, ops.transpose(self.table))  # (batch, steps, vocabulary)
        return ops.take(self.table, inputs, axis=0) * self.width**0.5

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary": self.vocabulary, "width": self.width}


@keras.saving.register_keras_serializable(package="kexp")
class LearnedPositions(keras.layers.Layer):
    """Adds a learned vector to each step; the number of steps is fixed.

    Example:
        >>> LearnedPositions()(keras.ops.ones((2, 10, 32))).shape
        TensorShape([2, 10, 32])
    """

    def build(self, input_shape: Shape) -> None:
        start = keras.initializers.TruncatedNormal(stddev=0.02)  # as in BERT, GPT-2 and ViT
        self.table = self.add_weight(shape=input_shape[1:], initializer=start, name="embeddings")

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, steps, width) of the same shape."""
        return inputs + self.table

    def step(self, inputs: Tensor, start: Tensor) -> Any:
        """Return what `call` does for the next steps, of which the first is at `start`."""
        vectors = ops.slice(self.table, (start, 0), inputs.shape[1:])
        return ops.cast(inputs, self.compute_dtype) + ops.cast(vectors, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return input_shape

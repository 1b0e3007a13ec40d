"""A linear model on the n-grams of a text, as a part of a network."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor

_FACTOR = 7919  # of the hash: times as many buckets as there are, it stays below 2 ** 31
_BUCKETS = 2**18
_OUTPUTS = 32  # that they are for; more have fewer of them, so that the table has 8 million numbers or less


@keras.saving.register_keras_serializable(package="kexp")
class NgramLinear(keras.layers.Layer):
    """A linear model on the n-grams of a text, its edges included: for classes, a logistic regression.

    It is the bias and the sum of a learned vector for each n-gram, divided by the root of how many there are.
    The vectors are in a table of a fixed size, and an n-gram has the one that its hash says (Weinberger et
    al. 2009, "Feature hashing for large scale multitask learning"; Joulin et al. 2017, "Bag of tricks for
    efficient text classification"). Added to the outputs of a network, it is the wide part of Cheng et al.
    2016, "Wide & deep learning for recommender systems".

    Args:
        longest: Tokens of the longest n-grams, 1 or more; all shorter ones count too.
        outputs: Numbers of a vector: classes, as logits, or regression targets.
        buckets: Rows of the table, at most 2 ** 18.
        gain: What the sum is multiplied by: most n-grams are met a few times an epoch only, and the steps of
            an optimizer such as Adam have a size of their own.

    Example:
        >>> layer = NgramLinear(longest=2, outputs=3)
        >>> tokens = keras.ops.convert_to_tensor([[5, 6, 0]])
        >>> layer(tokens, valid=tokens != 0).shape
        TensorShape([1, 3])
    """

    def __init__(
        self, longest: int, outputs: int, buckets: int = _BUCKETS, gain: float = 5.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.longest, self.outputs, self.buckets, self.gain = longest, outputs, buckets, gain

    def build(self, input_shape: Shape) -> None:
        self.table = self.add_weight(
            shape=(self.buckets, self.outputs), initializer="zeros", name="embeddings"
        )
        self.bias = self.add_weight(shape=(self.outputs,), initializer="zeros", name="bias")

    def call(self, tokens: Tensor, valid: Tensor) -> Any:
        """Return (batch, outputs) of (batch, steps) tokens, of which those before padding are valid."""
        count = ops.sum(ops.cast(valid, "int32"), axis=1, keepdims=True)  # (batch, 1)
        hashes, known = zip(
            *(self._ngrams(tokens, count, size) for size in range(1, self.longest + 1)), strict=True
        )
        kept = ops.cast(ops.concatenate(known, axis=1), "float32")  # (batch, n-grams)
        vectors = ops.take(self.table, ops.concatenate(hashes, axis=1), axis=0)  # (batch, n-grams, outputs)
        total = ops.sum(ops.cast(vectors, "float32") * ops.expand_dims(kept, -1), axis=1)
        # One at least: the pair of its edges, or nothing at all.
        root = ops.sqrt(ops.maximum(ops.sum(kept, axis=1, keepdims=True), 1.0))
        return total * self.gain / root + self.bias

    def _ngrams(self, tokens: Tensor, count: Tensor, size: int) -> tuple[Any, Any]:
        """Return hashes, (batch, steps + 2) int32, by where they begin, and which of them there are."""
        # Padding before and after the text is its edges.
        edged = ops.pad(ops.cast(tokens, "int32"), ((0, 0), (1, size)))
        first = edged[:, : 1 - size] if size > 1 else edged
        hashes = ops.full_like(first, size)
        for place in range(size):
            last = place - size + 1
            here = edged[:, place:last] if last else edged[:, place:]
            hashes = ops.mod(hashes * _FACTOR + here, self.buckets)
        begins = ops.cumsum(ops.ones_like(first), axis=1) - 1
        inside = int(size == 1)  # an edge by itself is in every text
        return hashes, ops.logical_and(begins >= inside, begins + size <= count + 2 - inside)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (input_shape[0], self.outputs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "longest": self.longest,
            "outputs": self.outputs,
            "buckets": self.buckets,
            "gain": self.gain,
        }


def ngram_scores(tokens: Tensor, valid: Tensor, longest: int, outputs: int, vocabulary: int | None) -> Any:
    """Return (batch, outputs) of the n-grams of (batch, steps) tokens; None where longest is 0.

    Raises:
        InputError: There are no tokens.
    """
    if not longest:
        return None
    if longest < 0 or vocabulary is None:
        raise InputError(
            f"ngrams must be 0, or tokens of texts, which have a vocabulary; received {longest}."
        )
    buckets = _BUCKETS // max(1, outputs // _OUTPUTS)
    return NgramLinear(longest, outputs, buckets, dtype="float32", name="ngrams")(tokens, valid=valid)

"""Embeddings of categories, of several columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kexp.core.types import Shape, Tensor

__all__ = ["CategoryEmbedding"]


@keras.saving.register_keras_serializable(package="kexp")
class CategoryEmbedding(keras.layers.Layer):
    """A learned vector for each category of each column.

    Args:
        places: How many codes each column has.
        width: Numbers of a vector.

    Source:
        Guo and Berkhahn 2016, "Entity Embeddings of Categorical Variables".

    Example:
        >>> CategoryEmbedding((12, 30), width=8)(ops.array([[0.0, 29.0]])).shape
        TensorShape([1, 16])
    """

    def __init__(self, places: Sequence[int], width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.places, self.width = tuple(places), width

    def build(self, input_shape: Shape) -> None:
        start = keras.initializers.RandomNormal(stddev=1.0)
        self.table = self.add_weight(
            shape=(sum(self.places), self.width), initializer=start, name="embeddings"
        )

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, columns * width) of (batch, columns) codes, whole numbers from 0."""
        first = np.cumsum([0, *self.places[:-1]]).astype("int32")
        vectors = ops.take(self.table, ops.cast(inputs, "int32") + first, axis=0)  # (batch, columns, width)
        return ops.reshape(vectors, (-1, len(self.places) * self.width))

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape[:-1], len(self.places) * self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "places": list(self.places), "width": self.width}

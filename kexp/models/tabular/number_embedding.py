"""Embeddings of numbers: each number of a row becomes a vector of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor

__all__ = ["PeriodicEmbedding", "PiecewiseLinearEmbedding"]


@keras.saving.register_keras_serializable(package="kexp")
class PiecewiseLinearEmbedding(keras.layers.Layer):
    """Each number becomes a vector that is a learned piecewise linear function of it.

    With edges `b_0 < … < b_T` the encoding of `x` has `(x - b_(t-1)) / (b_t - b_(t-1))` at place `t`, cut to
    0 below (but at the first place) and to 1 above (but at the last). A linear layer of each number takes its
    encoding, which starts at 0, beside one of the number itself.

    Args:
        edges: Of each number, rising; with less than two the encoding is nothing.
        width: Numbers of a vector.

    Source:
        Gorishniy, Rubachev and Babenko 2022, "On Embeddings for Numerical Features in Tabular Deep Learning";
        the linear layer beside it is that of Gorishniy, Kotelnikov and Babenko 2024, "TabM".

    Example:
        >>> layer = PiecewiseLinearEmbedding([(0.0, 1.0, 3.0)], width=4)
        >>> layer(ops.array([[2.0]])).shape, layer.encoded(ops.array([[2.0]])).numpy().tolist()
        (TensorShape([1, 4]), [[[1.0, 0.5]]])
    """

    def __init__(self, edges: Sequence[Sequence[float]], width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.edges, self.width = [[float(edge) for edge in one] for one in edges], width
        if any(np.any(np.diff(one) <= 0) for one in self.edges):
            raise InputError("edges must rise, of each number; received some that do not.")
        self._bins = max(1, *(len(one) - 1 for one in self.edges))
        # (numbers, bins): an encoding is clip(x * slope - offset, low, high); a place that is none stays 0.
        self._slope, self._offset, self._low, self._high = np.zeros((4, len(edges), self._bins), "float32")
        for number, one in enumerate(self.edges):
            count = len(one) - 1
            if count > 0:
                slope = 1 / np.diff(one)
                self._slope[number, :count], self._offset[number, :count] = slope, slope * one[:-1]
                self._high[number, :count] = 1.0
                self._low[number, 0], self._high[number, count - 1] = -1e6, 1e6

    def build(self, input_shape: Shape) -> None:
        numbers, start = len(self.edges), keras.initializers.RandomUniform(-1.0, 1.0)
        self.base = self.add_weight(shape=(numbers, self.width), initializer=start, name="embedding_base")
        self.bias = self.add_weight(shape=(numbers, self.width), initializer=start, name="embedding_bias")
        self.kernel = self.add_weight(
            shape=(numbers, self._bins, self.width), initializer="zeros", name="embedding_kernel"
        )

    def encoded(self, inputs: Tensor) -> Any:
        """Return (batch, numbers, bins) of (batch, numbers)."""
        x = ops.expand_dims(inputs, -1) * self._slope - self._offset
        return ops.minimum(ops.maximum(x, self._low), self._high)

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, numbers * width) of (batch, numbers)."""
        x = ops.expand_dims(inputs, -1) * self.base + self.bias  # (batch, numbers, width)
        encoded = ops.transpose(self.encoded(inputs), (1, 0, 2))  # (numbers, batch, bins)
        x = x + ops.transpose(ops.matmul(encoded, self.kernel), (1, 0, 2))
        return ops.reshape(x, (-1, len(self.edges) * self.width))

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape[:-1], len(self.edges) * self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "edges": self.edges, "width": self.width}


@keras.saving.register_keras_serializable(package="kexp")
class PeriodicEmbedding(keras.layers.Layer):
    """Each number `x` becomes `x` and a learned linear function of `cos(2 pi w x + b)`.

    Frequencies `w`, `b` and the function are learned, of each number by itself; frequencies start from a
    normal distribution.

    Args:
        width: Numbers of a vector, `x` among them, default 4, 2 or more.
        frequencies: How many, default 16.
        deviation: Of the frequencies at the start, default 0.1.
        rate: What the learning rate is multiplied by for the weights of the layer, by an optimizer that does
            not see the scale of gradients, such as Adam; default 1.

    Source:
        Holzmüller, Grinsztajn and Steinwart 2024, "Better by Default" (PBLD); Gorishniy, Rubachev and Babenko
        2022, "On Embeddings for Numerical Features in Tabular Deep Learning".

    Example:
        >>> layer = PeriodicEmbedding(width=4)
        >>> layer(ops.array([[2.0, 3.0]])).shape
        TensorShape([1, 8])
    """

    def __init__(
        self,
        width: int = 4,
        *,
        frequencies: int = 16,
        deviation: float = 0.1,
        rate: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.frequencies, self.deviation, self.rate = width, frequencies, deviation, rate

    def build(self, input_shape: Shape) -> None:
        numbers, bound = input_shape[-1], self.frequencies**-0.5
        starts = {
            "frequency": ((numbers, self.frequencies), keras.initializers.RandomNormal, self.deviation),
            "phase": ((numbers, self.frequencies), _uniform, math.pi),
            "kernel": ((numbers, self.frequencies, self.width - 1), _uniform, bound),
            "bias": ((numbers, self.width - 1), _uniform, bound),
        }
        for name, (shape, start, size) in starts.items():
            # What is stored is larger by 1 / rate than what is meant, so that a step of Adam is smaller.
            initializer = start(stddev=size / self.rate) if start is not _uniform else start(size / self.rate)
            weight = self.add_weight(shape=shape, initializer=initializer, name=f"embedding_{name}")
            setattr(self, name, weight)

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, numbers * width) of (batch, numbers)."""
        x = ops.expand_dims(inputs, -1)  # (batch, numbers, 1)
        waves = ops.cos(2 * math.pi * x * (self.frequency * self.rate) + self.phase * self.rate)
        waves = ops.matmul(ops.transpose(waves, (1, 0, 2)), self.kernel * self.rate)
        vectors = ops.concatenate([x, ops.transpose(waves, (1, 0, 2)) + self.bias * self.rate], axis=-1)
        return ops.reshape(vectors, (-1, inputs.shape[-1] * self.width))

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape[:-1], input_shape[-1] * self.width)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("width", "frequencies", "deviation", "rate")}
        return {**super().get_config(), **own}


def _uniform(size: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomUniform(-size, size)

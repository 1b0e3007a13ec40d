"""Radial basis function networks: a family that kexp does not have, to prove that one file adds one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from kexp.models.layers.output_layer import predictions

__all__ = ["radial"]


@keras.saving.register_keras_serializable(package="toy")
class RadialBasis(layers.Layer):
    """How near the inputs are to some centres, which are learnt."""

    def __init__(self, centres: int, **options: Any) -> None:
        super().__init__(**options)
        self.centres = centres

    def build(self, input_shape: Any) -> None:
        self.points = self.add_weight(
            shape=(self.centres, input_shape[-1]), initializer="random_normal", name="points"
        )

    def call(self, inputs: Any) -> Any:  # (batch, features) -> (batch, centres)
        away = ops.expand_dims(inputs, 1) - self.points
        return ops.exp(-ops.mean(ops.square(away), axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "centres": self.centres}


def radial(
    input_shape: Sequence[int],
    outputs: int,
    *,
    centres: int = 32,
    output_scale: float | Sequence[float] = 1.0,
    output_offset: float | Sequence[float] = 0.0,
) -> keras.Model:
    """Build a radial basis function network (Broomhead and Lowe 1988)."""
    inputs = keras.Input(tuple(input_shape))
    near = RadialBasis(centres)(inputs)  # (batch, centres)
    return keras.Model(inputs, predictions(near, outputs, output_scale, output_offset), name="radial")

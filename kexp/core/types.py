"""What annotations call the values that pass through a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

Tensor: TypeAlias = "keras.KerasTensor | tf.Tensor"
"""A symbol while a model is built, a tensor when it computes: what `keras.ops` takes and gives."""

ArrayLike: TypeAlias = "np.ndarray | tf.Tensor"
"""Numbers at hand: an array or an eager tensor."""

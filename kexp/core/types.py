"""What annotations call the values that pass through a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    import numpy as np
    import tensorflow as tf

Tensor: TypeAlias = "keras.KerasTensor | tf.Tensor"
"""A symbol while a model is built, a tensor when it computes: what `keras.ops` takes and gives."""

TensorLike: TypeAlias = "keras.KerasTensor | tf.Tensor | np.ndarray | Sequence[Any] | float"
"""What `keras.ops` makes a tensor of: also arrays, lists and numbers."""

Shape: TypeAlias = tuple[Any, ...]
"""Sizes of the axes of a tensor; None for those that a batch decides."""

Nest: TypeAlias = Any
"""Lists, tuples and mappings of arrays or tensors, of any depth, or one of them: Keras's x and y."""

ArrayLike: TypeAlias = Any
"""Whatever NumPy makes an array of: arrays, tables, tensors and lists of numbers."""

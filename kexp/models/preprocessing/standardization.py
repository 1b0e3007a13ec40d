"""Standardisation: every channel of a series to mean 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import keras
import numpy as np
from keras import layers

from kexp.core.errors import InputError
from kexp.data.dataset import Inputs, single_array

__all__ = ["series_preprocessing"]


def series_preprocessing(inputs: Inputs) -> keras.Model:
    """Build a model that brings every channel of a series to mean 0 and deviation 1.

    The statistics are those of the real steps of the training series. Steps of NaN, the padding of series
    that are shorter than others, stay NaN; a constant channel becomes 0.

    Args:
        inputs: The training inputs, (samples, steps, channels) float32.

    Returns:
        A model from (batch, steps, channels) to the same shape, computed in float32 under any dtype policy.

    Raises:
        InputError: The inputs have another rank, or are columns of a table.

    Example:
        >>> series = np.array([[[1.0], [3.0], [np.nan]]], "float32")
        >>> np.asarray(series_preprocessing(series)(series)).ravel().tolist()
        [-1.0, 1.0, nan]
    """
    inputs = single_array(inputs)
    if inputs.ndim != 3:
        raise InputError(
            f"inputs must have the shape (samples, steps, channels), received {inputs.shape}; give the "
            "training inputs of data of the kind 'series'."
        )
    steps = inputs.reshape(-1, inputs.shape[-1])
    mean, variance = moments(lambda: [steps])
    raw = keras.Input(inputs.shape[1:], dtype="float32")
    normalized = layers.Normalization(axis=-1, mean=mean, variance=variance, dtype="float32")(raw)
    return keras.Model(raw, normalized, name="preprocessing")


def moments(blocks: Callable[[], Iterable[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return (columns,) means and variances of the known ones among (rows, columns) values.

    They are the same bits in however many blocks two columns or more come: NumPy adds row after row.

    Args:
        blocks: Called for the values, some rows at a time.

    Example:
        >>> mean, variance = moments(lambda: [np.array([[1.0, 5.0]]), np.array([[3.0, np.nan]])])
        >>> mean.tolist(), variance.tolist()
        ([2.0, 5.0], [1.0, 1.0])
    """
    count = np.maximum(_summed(np.isfinite(block) for block in blocks()), 1)
    mean = _summed(np.where(np.isfinite(block), block, 0.0) for block in blocks()) / count
    squares = (np.where(np.isfinite(block), block - mean, 0.0).__pow__(2) for block in blocks())
    variance = _summed(squares) / count
    # A constant column has no scale of its own; it becomes 0.
    return mean, np.where(variance > 0, variance, 1.0)


def _summed(blocks: Iterable[np.ndarray]) -> np.ndarray:
    total: np.ndarray | None = None
    for block in blocks:
        rows = block if total is None else np.concatenate([total[None], block])
        total = rows.sum(axis=0, dtype="float64")
    assert total is not None
    return total

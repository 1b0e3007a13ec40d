"""Preprocessing of tables: numbers standardised, categories one-hot, fitted on training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kexp.core.types import Tensor
from kexp.data import Column
from kexp.models.preprocessing.standardization import moments

__all__ = ["tabular_preprocessing"]

_MOST_CATEGORIES = 256
_UNSEEN = "(never seen in training)"  # Keras's own "[UNK]" may well stand in a table


def tabular_preprocessing(
    columns: Mapping[str, np.ndarray] | np.ndarray, kinds: Sequence[Column]
) -> keras.Model:
    """Build a model from the columns of a table to one vector of features.

    Numbers are shifted and scaled to mean 0 and deviation 1; a missing one becomes 0, the mean, with
    a flag of its own when the training data had any. Categories become one-hot; the missing one and
    those never seen in training have places of their own, and of more than 256 the rarest share it.

    Args:
        columns: The training inputs by name, (samples,) each, or (samples, columns) of numbers;
            nothing else may be given, or the statistics of other data would leak into the model.
        kinds: The named columns to use, in order.

    Returns:
        A model from a mapping of (batch,) tensors, or from (batch, columns), to (batch, features)
        float32, computed in float32 under any dtype policy.

    Example:
        >>> age = np.array([20.0, np.nan, 40.0], "float32")
        >>> town = np.array(["Ulm", "Jena", ""], object)
        >>> kinds = [Column("age", "number"), Column("town", "category")]
        >>> tabular_preprocessing({"age": age, "town": town}, kinds).output_shape
        (None, 6)
    """
    if isinstance(columns, np.ndarray):
        vector = keras.Input(columns.shape[1:], dtype="float32")
        return keras.Model(vector, _joined(_numbers(vector, columns)), name="preprocessing")
    inputs = {
        column.name: keras.Input(
            (), dtype="float32" if column.kind == "number" else "string", name=column.name
        )
        for column in kinds
    }
    numbers = [column.name for column in kinds if column.kind == "number"]
    features = []
    if numbers:
        stacked = ops.stack([inputs[name] for name in numbers], axis=-1)  # (batch, numbers)
        features += _numbers(stacked, np.stack([columns[name] for name in numbers], axis=-1))
    for column in kinds:
        if column.kind == "category":
            features.append(_category(inputs[column.name], columns[column.name]))
    return keras.Model(inputs, _joined(features), name="preprocessing")


def _joined(features: Sequence[Any]) -> Any:
    return ops.concatenate(features, axis=-1) if len(features) > 1 else features[0]


def _numbers(stacked: Tensor, values: np.ndarray) -> list[Any]:
    mean, variance = moments(values)
    # Raw numbers may have more digits than a mixed precision policy keeps, or be too large for it.
    normalized = layers.Normalization(axis=-1, mean=mean, variance=variance, dtype="float32")(stacked)
    missing = ops.isnan(stacked)
    features = [ops.where(missing, 0.0, normalized)]
    flagged = np.flatnonzero(~np.isfinite(values).all(axis=0))
    if flagged.size:
        flags = ops.take(ops.cast(missing, "float32"), flagged.tolist(), axis=-1)
        features.append(flags)
    return features


def _category(column: Any, values: np.ndarray) -> Any:
    seen, counts = np.unique(values.astype(str), return_counts=True)
    kept = sorted(seen[np.argsort(-counts, kind="stable")][:_MOST_CATEGORIES].tolist())
    lookup = layers.StringLookup(vocabulary=kept, oov_token=_UNSEEN)
    return ops.one_hot(lookup(column), len(kept) + 1, dtype="float32")  # (batch, categories + 1)

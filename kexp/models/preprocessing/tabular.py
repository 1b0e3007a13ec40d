"""Preprocessing of tables: numbers standardised, categories one-hot, fitted on training data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data import Column
from kexp.data.stored_arrays import column_blocks
from kexp.data.table_columns import category_counts, kept_categories
from kexp.models.preprocessing.date_features import DateFeatures
from kexp.models.preprocessing.standardization import moments

__all__ = ["tabular_preprocessing"]

_UNSEEN = "(never seen in training)"  # Keras's own "[UNK]" may well stand in a table


def tabular_preprocessing(
    columns: Mapping[str, np.ndarray] | np.ndarray, kinds: Sequence[Column]
) -> keras.Model:
    """Build a model from the columns of a table to one vector of features.

    Numbers are shifted and scaled to mean 0 and deviation 1; a missing one becomes 0, the mean, with
    a flag of its own when the training data had any. Categories become one-hot, the missing one too where
    training had any; one that was never seen is taken for the most frequent one, because a place of its own
    would have weights that were never trained. Of more than 256 the rarest share a place, where unseen ones
    go. Dates become days, and day of the year, of the week and time of the day on circles.

    Args:
        columns: The training inputs by name, (samples,) each, or (samples, columns) of numbers;
            nothing else may be given, or the statistics of other data would leak into the model.
        kinds: The named columns to use, in order.

    Returns:
        A model from a mapping of (batch,) tensors, or from (batch, columns), to (batch, features)
        float32, computed in float32 under any dtype policy.

    Raises:
        InputError: The numbers are no (samples, columns).

    Example:
        >>> age = np.array([20.0, np.nan, 40.0], "float32")
        >>> town = np.array(["Ulm", "Jena", ""], object)
        >>> kinds = [Column("age", "number"), Column("town", "category")]
        >>> tabular_preprocessing({"age": age, "town": town}, kinds).output_shape
        (None, 5)
    """
    if isinstance(columns, np.ndarray):
        vector = vector_input(columns)
        dtype = vector.dtype
        return keras.Model(vector, joined(_numbers(vector, lambda: [columns], dtype)), name="preprocessing")
    inputs = {column.name: column_input(column) for column in kinds}
    features = []
    for dtype in ("float32", "float64"):
        numbers = [one.name for one in kinds if one.kind == "number" and one.dtype == dtype]
        if numbers:
            stacked = ops.stack([inputs[name] for name in numbers], axis=-1)  # (batch, numbers)
            features += _numbers(stacked, partial(column_blocks, [columns[name] for name in numbers]), dtype)
    for column in kinds:
        if column.kind == "category":
            features.append(one_hot_category(inputs[column.name], columns[column.name]))
        if column.kind == "date":
            features.append(DateFeatures.fitted(column, columns[column.name])(inputs[column.name]))
    return keras.Model(inputs, joined(features), name="preprocessing")


def vector_input(columns: np.ndarray) -> Any:
    """Return the input of (samples, columns) numbers.

    Raises:
        InputError: They have another number of axes.
    """
    if columns.ndim != 2:
        raise InputError(
            "data must be a table, or numbers of shape (samples, columns), for a network of tables; received "
            f"shape {columns.shape}. Flatten each sample, or take a network for such samples."
        )
    return keras.Input(columns.shape[1:], dtype="float64" if columns.dtype == np.float64 else "float32")


def column_input(column: Column) -> Any:
    """Return the input of a column, (batch,) numbers or strings."""
    dtype = column.dtype if column.kind == "number" else "string"
    return keras.Input((), dtype=dtype, name=column.name)


def joined(features: Sequence[Any]) -> Any:
    """Return features beside one another."""
    return ops.concatenate(features, axis=-1) if len(features) > 1 else features[0]


def _numbers(stacked: Tensor, blocks: Callable[[], Iterable[np.ndarray]], dtype: str) -> list[Any]:
    mean, variance = moments(blocks)
    # Raw numbers may have more digits than a mixed precision policy keeps, or be too large for it; those that
    # float32 cannot tell apart are brought near zero first.
    if dtype == "float64":
        centred = ops.cast(stacked - ops.convert_to_tensor(mean, "float64"), "float32")
        mean = np.zeros_like(mean)
    else:
        centred = stacked
    normalized = layers.Normalization(axis=-1, mean=mean, variance=variance, dtype="float32")(centred)
    missing = ops.isnan(stacked)
    features = [ops.where(missing, 0.0, normalized)]
    flagged = np.flatnonzero(~np.all([np.isfinite(block).all(axis=0) for block in blocks()], axis=0))
    if flagged.size:
        flags = ops.take(ops.cast(missing, "float32"), flagged.tolist(), axis=-1)
        features.append(flags)
    return features


def one_hot_category(column: Any, values: np.ndarray) -> Any:
    """Return (batch, categories) float32, one-hot, of (batch,) strings.

    Args:
        column: The strings.
        values: Those of the training data.
    """
    lookup, kept, often = _lookup(values)
    if len(kept) < len(often):  # those that are not kept have trained the first place
        return ops.one_hot(lookup(column), len(kept) + 1, dtype="float32")  # (batch, categories + 1)
    places = np.eye(len(kept), dtype=np.float32)
    table = np.concatenate([places[[_most_frequent(kept, often)]], places])  # never seen comes first
    return ops.take(ops.convert_to_tensor(table), lookup(column), axis=0)  # (batch, categories)


def category_code(column: Any, values: np.ndarray) -> tuple[Any, int]:
    """Return (batch,) int32 codes of (batch,) strings from 0, as `one_hot_category` has places; how many.

    Args:
        column: The strings.
        values: Those of the training data.
    """
    lookup, kept, often = _lookup(values)
    if len(kept) < len(often):
        return ops.cast(lookup(column), "int32"), len(kept) + 1
    codes = np.array([_most_frequent(kept, often), *range(len(kept))], "int32")
    return ops.take(ops.convert_to_tensor(codes), lookup(column), axis=0), len(kept)


def _lookup(values: np.ndarray) -> tuple[layers.StringLookup, list[str], dict[str, int]]:
    kept = kept_categories(values)
    return layers.StringLookup(vocabulary=kept, oov_token=_UNSEEN), kept, category_counts(values)


def _most_frequent(kept: Sequence[str], often: Mapping[str, int]) -> int:
    return int(np.argmax([often[one] for one in kept]))

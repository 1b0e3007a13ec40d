"""Preprocessing of tables by quantiles: numbers cut smoothly, large categories as codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kexp.core.types import Tensor
from kexp.data import Column
from kexp.data.table_columns import category_counts
from kexp.models.preprocessing.date_features import DateFeatures
from kexp.models.preprocessing.tabular import (
    category_code,
    column_input,
    joined,
    one_hot_category,
    vector_input,
)
from kexp.models.tabular.column_layout import ColumnLayout

__all__ = ["robust_preprocessing", "smooth_clip"]

_FARTHEST = 1e6  # of a scaled number: its square is one of float32, and it is cut to 3 anyway


def smooth_clip(x: Tensor) -> Any:
    """Return numbers between -3 and 3: `x / sqrt(1 + (x / 3)^2)`, which is nearly `x` in the middle.

    Source:
        Holzmüller, Grinsztajn and Steinwart 2024, "Better by Default".

    Example:
        >>> [round(float(x), 3) for x in smooth_clip(ops.array([0.0, 3.0, 1e30]))]
        [0.0, 2.121, 3.0]
    """
    x = ops.clip(x, -_FARTHEST, _FARTHEST)
    return x / ops.sqrt(1.0 + ops.square(x / 3.0))


def robust_preprocessing(
    columns: Mapping[str, np.ndarray] | np.ndarray,
    kinds: Sequence[Column],
    *,
    bins: int = 48,
    embed_above: int = 9,
) -> tuple[keras.Model, ColumnLayout]:
    """Build a model from the columns of a table to one vector of features, and its layout.

    Numbers have their median taken off, are divided by the distance of their quartiles (by half their range
    where that is 0) and cut by `smooth_clip`. A missing one becomes 0, with a flag of its own when the
    training data had any. Categories become one-hot, those of many values a code to be embedded; dates as in
    `tabular_preprocessing`.

    Args:
        columns: The training inputs by name, (samples,) each, or (samples, columns) of numbers; nothing else
            may be given, or the statistics of other data would leak into the model.
        kinds: The named columns to use, in order.
        bins: Bins between quantiles of each number at most, for the layout; default 48.
        embed_above: A category of more values than this has a code, default 9.

    Returns:
        A model from a mapping of (batch,) tensors, or from (batch, columns), to (batch, layout.width)
        float32, computed in float32 under any dtype policy; and the layout.

    Raises:
        InputError: The numbers are no (samples, columns).

    Source:
        Holzmüller, Grinsztajn and Steinwart 2024, "Better by Default" (robust scaling and smooth clipping).

    Example:
        >>> age = np.array([20.0, np.nan, 40.0], "float32")
        >>> town = np.array(["Ulm", "Jena", ""], object)
        >>> kinds = [Column("age", "number"), Column("town", "category")]
        >>> model, layout = robust_preprocessing({"age": age, "town": town}, kinds)
        >>> model.output_shape, len(layout.edges), layout.plain
        ((None, 5), 1, 4)
    """
    if isinstance(columns, np.ndarray):
        vector = vector_input(columns)
        numbers, flags, edges = _numbers(vector, list(columns.T), bins)
        return keras.Model(vector, joined([numbers, *flags]), name="preprocessing"), _layout(edges, flags, [])
    inputs = {column.name: column_input(column) for column in kinds}
    first, edges, plain, codes, places = [], [], [], [], []
    for dtype in ("float32", "float64"):
        names = [one.name for one in kinds if one.kind == "number" and one.dtype == dtype]
        if names:
            stacked = ops.stack([inputs[name] for name in names], axis=-1)  # (batch, numbers)
            numbers, flags, found = _numbers(stacked, [columns[name] for name in names], bins)
            first.append(numbers)
            plain += flags
            edges += found
    for column in kinds:
        given, values = inputs[column.name], columns[column.name]
        if column.kind == "date":
            plain.append(DateFeatures.fitted(column, values)(given))
        elif column.kind == "category" and len(category_counts(values)) <= embed_above:
            plain.append(one_hot_category(given, values))
        elif column.kind == "category":
            code, count = category_code(given, values)
            codes.append(ops.expand_dims(ops.cast(code, "float32"), -1))
            places.append(count)
    model = keras.Model(inputs, joined([*first, *plain, *codes]), name="preprocessing")
    return model, _layout(edges, plain, places)


def _layout(edges: Sequence[Any], plain: Sequence[Any], places: Sequence[int]) -> ColumnLayout:
    return ColumnLayout(tuple(edges), sum(part.shape[-1] for part in plain), tuple(places))


def _numbers(
    stacked: Tensor, columns: Sequence[np.ndarray], bins: int
) -> tuple[Any, list[Any], list[tuple[float, ...]]]:
    """Return scaled numbers, flags of missing ones if there are any, and the edges of the bins of each."""
    known = [np.asarray(column, "float64") for column in columns]
    known = [column[np.isfinite(column)] for column in known]
    medians, scales = np.array([_centre_and_scale(values) for values in known]).T
    missing = ops.isnan(stacked)
    # In the type of the column: what float32 cannot tell apart is brought near zero first.
    centred = ops.cast(stacked - ops.convert_to_tensor(medians.astype(stacked.dtype)), "float32")
    scale = layers.Normalization(axis=-1, mean=np.zeros_like(scales), variance=scales**2, dtype="float32")
    numbers = ops.where(missing, 0.0, smooth_clip(scale(centred)))
    flagged = [len(values) < len(column) for values, column in zip(known, columns, strict=True)]
    flags = []
    if any(flagged):
        flags = [ops.take(ops.cast(missing, "float32"), np.flatnonzero(flagged).tolist(), axis=-1)]
    edges = [
        _edges((values - median) / scale, bins)
        for values, median, scale in zip(known, medians, scales, strict=True)
    ]
    return numbers, flags, edges


def _centre_and_scale(values: np.ndarray) -> tuple[float, float]:
    """Return the median, and the distance of the quartiles or half of the range; 1 for a constant."""
    if not len(values):
        return 0.0, 1.0
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    return float(median), float(high - low or (values.max() - values.min()) / 2 or 1.0)


def _edges(scaled: np.ndarray, bins: int) -> tuple[float, ...]:
    """Return the quantiles between which there are so many bins, each once, on the scale of the network."""
    if not len(scaled):
        return ()
    distinct = np.unique(scaled)
    quantiles = distinct
    if len(distinct) > bins + 1:
        quantiles = np.unique(np.quantile(scaled, np.linspace(0.0, 1.0, bins + 1)))
    edges = quantiles / np.sqrt(1.0 + (quantiles / 3.0) ** 2)
    # Of edges that float32 hardly tells apart one is enough.
    kept = edges[np.diff(edges, prepend=-np.inf) > 1e-5]
    return tuple(float(edge) for edge in kept)

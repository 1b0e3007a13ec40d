"""Features of tables and plain vectors: numbers with their gaps, categories, dates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from kexp.data.dataset import Dataset, DatasetSpec, Inputs
from kexp.data.date_texts import seconds_of
from kexp.data.table_columns import Column

MOST_CATEGORIES = 64  # of a column that have a feature each; the rarer ones share one


def is_tabular(data: Dataset) -> bool:
    """Return whether inputs are columns of a table, not of texts alone, or arrays of numbers.

    Example:
        >>> import kexp
        >>> is_tabular(kexp.data.load("iris")), is_tabular(kexp.data.load("digits"))
        (True, False)
    """
    spec = data.spec
    if spec.kind == "table":
        return isinstance(data.train.inputs, Mapping) and any(one.kind != "text" for one in spec.columns)
    numbers = spec.dtype not in ("string", "mixed") and np.dtype(spec.dtype).kind in "biuf"
    return spec.kind == "array" and numbers and all(size for size in spec.input_shape)


def input_columns(spec: DatasetSpec) -> list[Column]:
    """Return the columns of a table but for those of texts."""
    return [column for column in spec.columns if column.kind != "text"]


def numbers(inputs: Inputs, spec: DatasetSpec) -> np.ndarray:
    """Return (samples, numbers) float64 of numbers and dates, NaN where one is missing or infinite.

    Example:
        >>> import kexp
        >>> iris = kexp.data.load("iris")
        >>> numbers(iris.train.inputs, iris.spec).shape
        (108, 4)
    """
    if isinstance(inputs, Mapping):
        listed = [
            _number(inputs[column.name], column)
            for column in input_columns(spec)
            if column.kind != "category"
        ]
        rows = len(next(iter(inputs.values())))
        found = np.stack(listed, axis=1) if listed else np.zeros((rows, 0))
    else:
        array = np.asarray(inputs)
        found = array.reshape(len(array), -1).astype(np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def categories(inputs: Inputs, spec: DatasetSpec) -> np.ndarray:
    """Return (samples, columns) texts of the columns of categories, "" where one is missing."""
    named = [column.name for column in input_columns(spec) if column.kind == "category"]
    if not named or not isinstance(inputs, Mapping):
        return np.zeros((len(inputs), 0), object)
    return np.stack([np.asarray(inputs[name]).astype(str) for name in named], axis=1)


def width(spec: DatasetSpec) -> int:
    """Return about how many features there are, each category of a column having one.

    Example:
        >>> import kexp
        >>> width(kexp.data.load("iris").spec)
        4
    """
    if spec.kind != "table":
        return max(1, math.prod(spec.input_shape))
    return sum(
        max(2, min(len(column.categories), MOST_CATEGORIES)) if column.kind == "category" else 1
        for column in input_columns(spec)
    )


def _number(values: Any, column: Column) -> np.ndarray:
    array = np.asarray(values)
    return seconds_of(array.tolist(), column.date_format) if column.kind == "date" else array.astype(float)

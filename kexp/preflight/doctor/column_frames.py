"""Columns of a table, or of arrays of plain vectors, as a DataFrame, and what single columns are like."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from kexp.data import Dataset, Split
from kexp.data.dataset import DatasetSpec
from kexp.preflight.doctor.base import class_labels, some_rows, target_numbers

_MOST_ROWS = 20_000  # of the training part that columns are judged by
_MOST_CELLS = 400_000
_LEAST_ROWS = 1000
_MOST_COLUMNS = 500  # of vectors: what has more is a signal rather than a table
_DISTINCT = 0.98
_FOLDS = 3
_LEAF = 5  # samples; fewer would learn rows by heart


def has_columns(spec: DatasetSpec) -> bool:
    """Return whether inputs have columns that mean something each.

    Example:
        >>> import kexp
        >>> has_columns(kexp.data.load("iris").spec), has_columns(kexp.data.load("digits").spec)
        (True, False)
    """
    if spec.kind == "table":
        return any(column.kind != "text" for column in spec.columns)
    numbers = np.dtype(spec.dtype).kind in "biuf" if spec.dtype not in ("string", "mixed") else False
    return spec.kind == "array" and numbers and len(spec.input_shape) == 1 and _is_short(spec.input_shape[0])


def _is_short(size: int | None) -> bool:
    return size is not None and 0 < size <= _MOST_COLUMNS


def column_frame(split: Split, spec: DatasetSpec, rows: np.ndarray | None = None) -> pd.DataFrame:
    """Return the columns of a part, without texts: float32 numbers with NaN, and objects for categories.

    Args:
        split: The part.
        spec: What its columns are; `has_columns` of it.
        rows: Which rows; None: all.

    Example:
        >>> import kexp
        >>> iris = kexp.data.load("iris")
        >>> column_frame(iris.train, iris.spec).shape
        (108, 4)
    """
    chosen = slice(None) if rows is None else rows
    if isinstance(split.inputs, Mapping):
        kept = [column.name for column in spec.columns if column.kind != "text"]
        return pd.DataFrame({name: split.inputs[name][chosen] for name in kept})
    return pd.DataFrame(np.asarray(split.inputs)[chosen]).add_prefix("input ")


def training_frame(data: Dataset) -> pd.DataFrame:
    """Return the columns of the training part, of a sample where it is long."""
    return column_frame(data.train, data.spec, training_rows(data))


def training_rows(data: Dataset) -> np.ndarray:
    """Return the rows of the training part that `training_frame` has: fewer where there are many columns."""
    columns = math.prod(data.spec.input_shape)
    most = min(_MOST_ROWS, max(_LEAST_ROWS, _MOST_CELLS // max(1, columns)))
    return some_rows(len(data.train.targets), most)


def is_number(column: pd.Series) -> bool:
    """Return whether a column holds numbers rather than categories."""
    return pd.api.types.is_numeric_dtype(column)


def coded(column: pd.Series) -> np.ndarray:
    """Return a column as float64 numbers with NaN, categories as their places in alphabetical order.

    Example:
        >>> coded(pd.Series(["b", "a", "b"])).tolist()
        [1.0, 0.0, 1.0]
    """
    if is_number(column):
        return np.asarray(column, np.float64)
    return pd.factorize(column.astype(str), sort=True)[0].astype(np.float64)


def is_whole(column: pd.Series) -> bool:
    """Return whether a column holds categories or whole numbers, as names and ids are."""
    if not is_number(column):
        return True
    values = np.asarray(column.dropna(), np.float64)
    return bool(np.isfinite(values).all() and (values == np.round(values)).all())


def is_identifier(column: pd.Series) -> bool:
    """Return whether a column is a name or whole number that is another in nearly every row.

    Example:
        >>> is_identifier(pd.Series(range(100))), is_identifier(pd.Series([1, 2] * 50))
        (True, False)
    """
    return is_whole(column) and column.nunique() >= _DISTINCT * len(column)


def is_grouping(column: pd.Series) -> bool:
    """Return whether a column is a name or whole number of many values that come back, as a patient's.

    Example:
        >>> is_grouping(pd.Series(range(100))), is_grouping(pd.Series(list(range(25)) * 4))
        (False, True)
    """
    values = column.nunique()
    return is_whole(column) and values >= 20 and len(column) >= 2.5 * values


def predictive_share(column: pd.Series, data: Dataset) -> tuple[float, str]:
    """Return how well one column alone predicts the target, 0 (chance) to 1, and the figure in words.

    A decision tree is fitted to it: a shallow one for classes, measured by the area under the ROC curve or by
    balanced accuracy where there are more than two; one of leaves of 5 rows for numbers, measured by R².

    Args:
        column: Of `training_frame`.
        data: Whose targets are predicted.

    Source:
        Nisbet, Elder and Miner 2009, "Handbook of Statistical Analysis and Data Mining Applications", "leaks
        from the future": a single variable that is too good.
    """
    inputs, rows = coded(column)[:, None], training_rows(data)
    labels = class_labels(data)
    if labels is None:
        numbers = target_numbers(data)
        assert numbers is not None
        return _share_of_numbers(inputs, numbers[rows])
    return _share_of_classes(inputs, labels[rows])


def _share_of_numbers(inputs: np.ndarray, numbers: np.ndarray) -> tuple[float, str]:
    tree = DecisionTreeRegressor(min_samples_leaf=_LEAF, random_state=0)
    folds = KFold(_FOLDS, shuffle=True, random_state=0)
    columns = [target for target in numbers.T if np.ptp(target)]
    best = max(cross_val_score(tree, inputs, target, cv=folds, scoring="r2").mean() for target in columns)
    return max(0.0, float(best)), f"R² {best:.3f}"


def _share_of_classes(inputs: np.ndarray, labels: np.ndarray) -> tuple[float, str]:
    classes, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    common = counts[numbers] >= _FOLDS
    if len(np.unique(numbers[common])) < 2:
        return 0.0, "too few samples of a class"
    depth = max(3, int(np.ceil(np.log2(len(classes)))) + 2)
    tree = DecisionTreeClassifier(max_depth=depth, random_state=0)
    scoring, words = ("roc_auc", "AUROC") if len(classes) == 2 else ("balanced_accuracy", "balanced accuracy")
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    score = cross_val_score(tree, inputs[common], numbers[common], cv=folds, scoring=scoring).mean()
    chance = 1 / len(classes)
    return max(0.0, float((score - chance) / (1 - chance))), f"{words} {score:.3f}"

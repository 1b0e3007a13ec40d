"""Targets that are several labels for each sample, or none: a place for each label that there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.dataset import Kind
from kexp.data.strings import as_text
from kexp.data.targets.base import TargetKind, Targets
from kexp.data.targets.columns import is_one_hot
from kexp.data.targets.labels import sort_names

_LISTS = (list, tuple, set, frozenset)


class LabelSets(TargetKind):
    """(samples, labels) float32, 1 where a sample has a label and 0 where not, with names of the labels."""

    name: ClassVar[str] = "label_sets"
    task: ClassVar[str] = "multilabel"
    is_separable: ClassVar[bool] = True

    def applies(self, kind: Kind, inputs: object, targets: object) -> bool:
        """Return whether they are lists of labels, or zeros and ones of which a row may have any number.

        Of floats, which are quantities as a rule, every column must have both.
        """
        array = targets if isinstance(targets, np.ndarray) else np.asarray(targets)
        if array.dtype == object:
            return array.ndim == 1 and len(array) > 0 and isinstance(array[0], tuple)
        if not _is_matrix(array) or is_one_hot(array.astype(np.int8) if array.dtype == bool else array):
            return False
        return array.dtype.kind != "f" or bool(((array == 0).any(axis=0) & (array == 1).any(axis=0)).all())

    def gathered(self, place: str, values: object, *, asked: bool, separator: str = "") -> np.ndarray | None:
        if separator:
            return _split(place, values, separator)
        rows = _rows(values)
        if rows is None or not any(isinstance(label, str) for row in rows for label in row):
            a_matrix = rows is None or (
                len({len(row) for row in rows}) == 1 and hasattr(rows[0], "__getitem__")
            )
            if a_matrix or not all(_is_whole(label) for row in rows or () for label in row):
                return None
        elif not asked and all(isinstance(row, list | tuple) and len(row) == 1 for row in rows):
            return None  # one label for each, as a column
        return _tuples([_labels(place, sample, row) for sample, row in enumerate(rows or ())])

    def encode(
        self,
        name: str,
        inputs: Mapping[str, Any],
        targets: Mapping[str, Any],
        class_names: tuple[str, ...],
        *,
        asked: bool,
    ) -> tuple[Targets, tuple[str, ...]]:
        arrays = {split: np.asarray(values) for split, values in targets.items()}
        listed = {
            array.dtype == object and all(isinstance(row, tuple) for row in array)
            for array in arrays.values()
        }
        if listed == {True}:
            names = class_names or tuple(
                sort_names({label for rows in arrays.values() for row in rows for label in row})
            )
            encoded = {split: _matrix(name, split, rows, names) for split, rows in arrays.items()}
        else:
            encoded = {split: _numbers(name, split, array) for split, array in arrays.items()}
            names = class_names or tuple(map(str, range(encoded["train"].shape[1])))
        wrong = [split for split, matrix in encoded.items() if matrix.shape[1] != len(names)]
        if wrong or len(names) < 2:
            received = encoded[wrong[0]].shape[1] if wrong else len(names)
            raise InputError(
                f"data {name!r}: task='multilabel' needs two labels or more, as many in every part; received "
                f"{received} for {len(names)} names, so correct them, or pass task='classification' for one."
            )
        return encoded, names

    def check(self, name: str, targets: Targets, class_names: tuple[str, ...]) -> None:
        absent = np.flatnonzero(~targets["train"].any(axis=0))
        if len(absent):
            raise InputError(
                f"data {name!r}: no training sample has the label {shown(class_names[absent[0]])}, which "
                "cannot be learnt then; add samples with it, hold out fewer or by another seed, or drop it."
            )

    def check_drawn(self, name: str, targets: Targets, class_names: tuple[str, ...]) -> None:
        self.check(name, targets, class_names)


def _is_matrix(array: np.ndarray) -> bool:
    """Return whether an array has a row of two or more zeros and ones for each sample."""
    of_numbers = array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "biuf"
    return of_numbers and bool(np.isin(array, (0, 1)).all())


def _is_whole(label: object) -> bool:
    return isinstance(label, int | np.integer) and not isinstance(label, bool)


def _rows(values: Any) -> Sequence[Collection[Any]] | None:
    """Return the rows of targets if each is a list; None for columns, arrays of numbers and anything else."""
    if getattr(getattr(values, "dtype", None), "kind", "O") not in "OU" or not hasattr(values, "__len__"):
        return None
    if isinstance(values, str | Mapping) or hasattr(values, "columns"):
        return None
    try:
        rows = list(values)
    except TypeError:  # it has a length, and cannot be iterated
        return None
    listed = all(isinstance(row, _LISTS) or getattr(row, "ndim", 0) == 1 for row in rows)
    return rows if rows and listed else None


def _labels(place: str, sample: int, row: Collection[Any]) -> tuple[str, ...]:
    """Return the labels of a sample as text, each once and in order."""
    for label in row:
        if not (isinstance(label, str) or _is_whole(label)) or label == "":
            raise InputError(
                f"{place} must be lists of labels, each a text or a whole number; received {shown(label)} at "
                f"sample {sample}, so correct it."
            )
    return tuple(as_text(place, sorted({str(label) for label in row})))


def _split(place: str, values: object, separator: str) -> np.ndarray:
    texts = as_text(f"{place}, which separator={separator!r} takes apart,", np.asarray(values, dtype=object))
    parts = [[part.strip() for part in text.split(separator)] for text in texts]
    return _tuples([tuple(sorted({label for label in row if label})) for row in parts])


def _tuples(rows: Sequence[tuple[str, ...]]) -> np.ndarray:  # (samples,) tuples
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def _matrix(name: str, split: str, rows: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    index = {label: number for number, label in enumerate(names)}
    matrix = np.zeros((len(rows), len(names)), np.float32)
    for sample, labels in enumerate(rows):
        for label in labels:
            if label not in index:
                raise InputError(
                    f"data {name!r}: expected {split} labels among the class names "
                    f"{', '.join(map(shown, names[:12]))}, received {shown(label)} at sample {sample}; "
                    "correct the labels or the names."
                )
            matrix[sample, index[label]] = 1.0
    return matrix


def _numbers(name: str, split: str, array: np.ndarray) -> np.ndarray:
    if not _is_matrix(array):
        raise InputError(
            f"data {name!r}: task='multilabel' needs {split} targets of zeros and ones, (samples, labels) "
            f"with two labels or more, or a list of labels for each sample; received {array.dtype} of shape "
            f"{array.shape}, so convert them, or pass separator=';' for texts such as 'red;round'."
        )
    return array.astype(np.float32)

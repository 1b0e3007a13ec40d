"""Columns of targets, before they become labels or numbers."""

from __future__ import annotations

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.strings import is_unicode


def column(name: str, split: str, values: object) -> np.ndarray:
    """Return the targets of one split with their useless last axis removed and text as str objects.

    Args:
        name: Name of the data, for messages.
        split: Name of the split, for messages.
        values: (samples,), (samples, 1) or (samples, outputs).

    Raises:
        InputError: They have another shape or type.

    Example:
        >>> column("pets", "train", [["cat"], ["dog"]])
        array(['cat', 'dog'], dtype=object)
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise InputError(
            f"data {name!r}: expected {split} targets of shape (samples,) or (samples, outputs), received "
            f"{array.shape}; reshape them."
        )
    if array.dtype.kind == "b":
        return array.astype(str).astype(object)
    if array.dtype.kind in "UO":
        return _text(name, split, array)
    if array.dtype.kind not in "iuf":
        raise InputError(
            f"data {name!r}: expected {split} targets of integers, floats or strings, received "
            f"{array.dtype}; convert them with astype."
        )
    return array


def is_one_hot(values: np.ndarray) -> bool:
    """Return whether numbers are vectors of which one place is 1 and all others 0.

    Example:
        >>> is_one_hot(np.eye(3)), is_one_hot(np.ones((3, 1)))
        (True, False)
    """
    if values.ndim != 2 or values.shape[1] == 1 or values.dtype.kind not in "iuf":
        return False
    return bool(np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all())


def _text(name: str, split: str, array: np.ndarray) -> np.ndarray:
    objects = array.astype(object)
    for row, value in enumerate(objects.flat):
        if not isinstance(value, str):
            raise InputError(
                f"data {name!r}: expected {split} targets of one type, received a {type(value).__name__} "
                f"among objects at sample {row}; convert them with astype."
            )
        if not is_unicode(value):
            raise InputError(
                f"data {name!r}: expected {split} labels that UTF-8 can say, without NUL characters, "
                f"received {shown(value)} at sample {row}; rename it."
            )
    return objects

"""Arrays in memory that a user gives, as plain NumPy arrays: without a mask, and each value what it was."""

from __future__ import annotations

from typing import Any

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.core.foreign_files import reason

_LARGEST = int(np.finfo(np.float64).max)


def plain_array(place: str, values: Any, *, ragged: str = "pad or cut them first") -> np.ndarray:
    """Return values as one array, whose masked entries would be numbers like any other.

    Args:
        place: What they are, for messages, in the plural: "data 'pets': the train inputs".
        values: An array, a list or anything else that NumPy makes an array of.
        ragged: What to do about values that differ in shape.

    Raises:
        InputError: They are no such thing, or some are masked.

    Example:
        >>> plain_array("inputs", [[1, 2], [3, 4]]).shape
        (2, 2)
        >>> plain_array("inputs", np.ma.array([1, 2], mask=[False, True]))
        Traceback (most recent call last):
        ...
        kexp.InputError: inputs are masked at sample 1, and only columns of a table and texts may have
        missing values; fill them in with .filled(value), or remove those samples.
    """
    require_unmasked(place, values)
    try:
        return np.asarray(values)
    except ValueError:
        raise InputError(f"{place} differ in shape, expected one array; {ragged}.") from None
    except Exception as error:  # whatever the class of the values raises
        raise InputError(
            f"{place} cannot be made an array ({reason(error)}); convert them with numpy.asarray first."
        ) from None


def require_unmasked(place: str, values: Any) -> None:
    """Refuse masked arrays with an entry that is masked, also in a list.

    Args:
        place: What they are, for messages, in the plural.
        values: Anything.

    Raises:
        InputError: An entry is masked.
    """
    sample = _first_masked(values)
    if sample is not None:
        raise InputError(
            f"{place} are masked at sample {sample}, and only columns of a table and texts may have missing "
            "values; fill them in with .filled(value), or remove those samples."
        )


def plain_targets(place: str, values: Any) -> np.ndarray:
    """Return targets as one array, in which each is still what it was: NumPy makes "1" of 1 among texts.

    Args:
        place: What they are, for messages, in the plural.
        values: As for `plain_array`.

    Raises:
        InputError: As `plain_array`, or truth values are among numbers.

    Example:
        >>> plain_targets("targets", ["a", 1]).tolist(), plain_targets("targets", [1, 2.5]).dtype.kind
        (['a', 1], 'f')
    """
    array = plain_array(place, values, ragged="mend them")
    if hasattr(values, "dtype") or array.dtype.kind not in "USbiuf":
        return array
    each = np.empty(array.shape, object)
    each[...] = values
    if array.dtype.kind in "US":
        return each
    truths = [isinstance(value, bool | np.bool_) for value in each.flat]
    if any(truths) and not all(truths):
        other = truths.index(not truths[0])
        raise InputError(
            f"{place} must be of one kind; received {shown(each.flat[0])} at sample 0 and "
            f"{shown(each.flat[other])} at sample {other * len(each) // each.size}, so give truth values or "
            "numbers, not both."
        )
    return array


def floats_of(series: Any) -> np.ndarray:
    """Return a pandas Series as (samples,) float64, with NaN for what is missing or no number.

    A whole number that is too large becomes infinite, as a fraction does.

    Example:
        >>> import pandas as pd
        >>> floats_of(pd.Series(["1.5", None, 10**500])).tolist()
        [1.5, nan, inf]
    """
    import pandas as pd

    kind = series.dtype.kind
    if kind in "cMm" or isinstance(series.dtype, pd.PeriodDtype):  # to pandas times are numbers too
        return np.full(len(series), np.nan)
    if kind == "O":
        try:
            series = pd.to_numeric(series, errors="coerce")
        except OverflowError:
            series = pd.to_numeric(series.map(_bounded), errors="coerce")
    # With a na_value pandas looks for gaps first, which in NumPy's own types are NaN already.
    own = isinstance(series.dtype, np.dtype)
    numbers: np.ndarray = series.to_numpy(np.float64) if own else series.to_numpy(np.float64, na_value=np.nan)
    return numbers


def _bounded(value: object) -> object:
    if isinstance(value, int) and abs(value) > _LARGEST:
        return np.inf if value > 0 else -np.inf
    return value


def _first_masked(values: Any, depth: int = 4) -> int | None:
    """Return the first sample with a masked entry, in a masked array or a list with such in it."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        masked = np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1) if mask.ndim else mask)
        return int(masked[0]) if len(masked) else None
    listed = isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.dtype == object)
    if not listed or not depth or not getattr(values, "ndim", 1):
        return None
    return next((row for row, item in enumerate(values) if _first_masked(item, depth - 1) is not None), None)

"""Precision: numbers of 64 bits that float32 would make one of."""

from __future__ import annotations

from typing import Any

import numpy as np

_KEPT = 0.9  # share of the different numbers that float32 has to tell apart
_MOST_ROWS = 1_000_000  # that are looked at
_MOST_NUMBERS = 4_000_000
_FEWEST_ROWS = 10_000


def merges(distinct: np.ndarray | int, narrow: np.ndarray | int) -> Any:
    """Return whether float32 keeps too few of different numbers apart."""
    return narrow < _KEPT * distinct


def distinct_numbers(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many different finite numbers each column has, and how many of them float32 tells apart.

    Args:
        columns: (rows, columns) of any type of numbers.

    Example:
        >>> exact, narrow = distinct_numbers(np.array([[2**24, 1], [2**24 + 1, 2]]))
        >>> exact.tolist(), narrow.tolist()
        ([2, 2], [1, 2])
    """
    wide = np.sort(np.asarray(columns, np.float64), axis=0)  # NaN comes last
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    finite = np.isfinite(narrow)
    return _steps(wide, finite), _steps(narrow, finite)


def _steps(ordered: np.ndarray, finite: np.ndarray) -> np.ndarray:
    changes = (ordered[1:] != ordered[:-1]) & finite[1:] & finite[:-1]
    return changes.sum(axis=0) + finite.any(axis=0)


def merging_notes(what: str, values: Any) -> tuple[str, ...]:
    """Return what is to be said of numbers that become float32 and are no longer told apart then.

    Args:
        what: They are, with the verb, such as "the inputs are".
        values: (samples, ...) numbers, of which the last axis has the channels, or a list of such. Of very
            many the first are looked at.

    Example:
        >>> for note in merging_notes("the inputs are", np.arange(2**24, 2**24 + 100)[:, None]):
        ...     print(note)
        the inputs are float32 to a model, which tells 51 of 100 different numbers apart, as of
        16777216.0 to 16777315.0; subtract the smallest or the mean first.
    """
    array = _joined(values)
    if array is None or array.dtype.kind not in "iuf" or array.dtype.itemsize < 4 or not array.size:
        return ()
    with np.errstate(over="ignore"):
        exact = (array.astype(np.float32) == array) | (array != array)
    if exact.all():
        return ()
    channels = array.shape[-1] if array.ndim > 1 else 1
    columns = array.reshape(-1, channels)
    columns = columns[: min(_MOST_ROWS, max(_FEWEST_ROWS, _MOST_NUMBERS // channels))]
    distinct, narrow = distinct_numbers(columns)
    found = np.flatnonzero(merges(distinct, narrow))
    if not found.size:
        return ()
    worst = found[np.argmin(narrow[found] / distinct[found])]
    known = columns[:, worst][np.isfinite(columns[:, worst])].astype(np.float64)
    where = f" in channel {worst}" if channels > 1 else ""
    others = f" ({len(found)} of {channels} channels are like that)" if len(found) > 1 else ""
    return (
        f"{what} float32 to a model, which tells {narrow[worst]:,} of {distinct[worst]:,} different numbers "
        f"apart{where}, as of {known.min()} to {known.max()}{others}; subtract the smallest or the mean "
        "first.",
    )


def _joined(values: Any) -> np.ndarray | None:
    """Return numbers as one array, None of anything else."""
    if hasattr(values, "select_dtypes"):  # a table of pandas
        values = values.to_numpy()
    if hasattr(values, "dtype") and getattr(values.dtype, "kind", "O") != "O":
        return np.asarray(values)
    try:
        series = np.ndim(values[0]) == 2
        return np.concatenate(list(map(np.asarray, values))) if series else np.asarray(values)
    except (TypeError, ValueError, IndexError, KeyError):
        return None

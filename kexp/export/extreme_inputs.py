"""Extreme inputs: what an export is compared with besides samples of the data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kexp.data.dataset import DatasetSpec, Inputs
from kexp.tasks.predictions import Predictions

_UNSEEN = "unseen \N{SNOWMAN}"  # no word or category of any data, and not ASCII
# What programs disagree on: white space that is not ASCII's, other letters in upper case, marks of their own,
# letters from right to left, emoji of several characters, the end of what is too long.
_TEXTS = (
    "",
    _UNSEEN,
    " \t\n\v\f\r",
    "\x01\x1c\x7f\x85",
    "\xa0a\u2003b\u2028c\u3000",
    "\ufeff\ufffd\ufffe",
    "\xc4\u0130\u1e9e ISN'T, \xdf",
    "e\u0301 \xe9",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
    "a b\u0301 " * 500,
)


def with_extremes(inputs: Inputs, spec: DatasetSpec, predict: Callable[[Inputs], Predictions]) -> Inputs:
    """Return samples with extreme ones behind the first of them.

    Those are zeros, the largest and the smallest numbers of the samples (of images 255), and missing ones in
    tables; empty strings, and such as no data has, of texts also emoji, control characters and a long one.
    One for which the model itself has no finite number is left out.

    Args:
        inputs: Some samples of the data.
        spec: Of the data.
        predict: Returns what the model predicts for samples.

    Example:
        >>> spec = DatasetSpec("array", (1,), "float32", "regression", 1)
        >>> samples = np.array([[1.0], [3.0]], "float32")
        >>> with_extremes(samples, spec, lambda inputs: Predictions(values=inputs)).tolist()
        [[1.0], [0.0], [3.0], [1.0], [0.0], [3.0]]
    """
    if isinstance(inputs, np.ndarray):
        texts = inputs.dtype.kind in "OSU"
        largest = 255 if spec.kind == "image" else None
        extremes: Inputs = np.array(_TEXTS, object) if texts else _extremes(inputs, largest=largest)
    else:
        dates = {column.name for column in spec.columns if column.kind == "date"}
        extremes = {
            name: _extremes(values, missing=spec.kind == "table", date=name in dates)
            for name, values in inputs.items()
        }
    found = predict(extremes).named()
    numbers = [array.reshape(len(array), -1) for array in found.values() if array.dtype.kind == "f"]
    finite = np.all([np.isfinite(array).all(axis=1) for array in numbers], axis=0) if numbers else slice(None)
    if isinstance(inputs, np.ndarray):
        assert isinstance(extremes, np.ndarray)
        return _inserted(inputs, extremes[finite])
    return {name: _inserted(values, extremes[name][finite]) for name, values in inputs.items()}


def rows_of_data(given: int, extended: int) -> tuple[int, ...]:
    """Return where the samples of the data are among those of `with_extremes`.

    Args:
        given: How many samples there were.
        extended: How many there are with the extreme ones.

    Example:
        >>> rows_of_data(2, 6)
        (0, 5)
    """
    return (0, *range(1 + extended - given, extended))


def _extremes(
    values: np.ndarray, *, largest: int | None = None, missing: bool = False, date: bool = False
) -> np.ndarray:
    """Return four samples of what is in one array."""
    if values.dtype.kind in "OSU":
        return np.array([""] * 4 if date else ["", _UNSEEN] * 2, dtype=object)
    known = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    low, high = (known.min(), known.max()) if known.size else (0, 0)
    if largest is not None and values.dtype == np.uint8:
        high = largest
    last = np.nan if missing and values.dtype.kind == "f" else 0
    return np.stack([np.full(values.shape[1:], number, values.dtype) for number in (0, high, low, last)])


def _inserted(values: np.ndarray, extremes: np.ndarray) -> np.ndarray:
    return np.concatenate([values[:1], extremes, values[1:]])

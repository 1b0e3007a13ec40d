"""Kinds of inputs: what arrays are (images, series, text, columns), and whether they can be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import Kind
from kexp.data.plain_arrays import plain_array, require_unmasked
from kexp.data.series import complete, pad
from kexp.data.strings import as_text, is_text


def inputs_of(name: str, parts: Mapping[str, tuple[Any, Any]]) -> tuple[Kind, dict[str, np.ndarray]]:
    """Settle what the inputs are and bring them to the type a model takes.

    Args:
        name: Name of the data, for messages.
        parts: Inputs and targets by part.

    Returns:
        The kind and the inputs by part, copies where the caller's own arrays would be shared: strings
        are text (samples,) of str objects; uint8 of rank 3 or 4 are images (samples, height, width,
        channels) uint8; other numbers of rank 3, and lists of (steps, channels) arrays, are series
        (samples, steps, channels) float32, padded with NaN to the longest; and of any other rank
        arrays float32.

    Raises:
        InputError: For empty, ragged, infinite, mismatched or other inputs, and for NaN that does not pad.
    """
    given = {part: _held(name, part, x) for part, (x, _) in parts.items()}
    if is_text(given["train"]):
        return "text", {part: _texts(name, part, given[part], y) for part, (_, y) in parts.items()}
    for part, x in given.items():
        require_unmasked(f"data {name!r}: the {part} inputs", x)
    padded = pad(name, given)
    raw = {part: _numeric(name, part, padded[part], y) for part, (_, y) in parts.items()}
    for part, array in raw.items():
        _require_same(name, part, array, raw["train"])
    image = raw["train"].dtype == np.uint8 and raw["train"].ndim in (3, 4)
    if image:
        return "image", {part: _image(name, array) for part, array in raw.items()}
    kind: Kind = "series" if raw["train"].ndim == 3 else "array"
    return kind, {part: _floats(name, part, array) for part, array in raw.items()}


def _held(name: str, part: str, x: Any) -> Any:
    """Return a list or an array as it is, and an array of anything else."""
    as_it_is = isinstance(x, list | tuple | np.ndarray)
    return x if as_it_is else plain_array(f"data {name!r}: the {part} inputs", x)


def _texts(name: str, part: str, x: Any, y: Any) -> np.ndarray:
    texts = as_text(f"data {name!r}: the {part} inputs", x)
    _require_targets(name, part, texts, y)
    return texts


def _numeric(name: str, part: str, x: object, y: object) -> np.ndarray:
    advice = "pad or cut them first, or pass a list of (steps, channels) arrays if they are series"
    array = plain_array(f"data {name!r}: the {part} samples", x, ragged=advice)
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"data {name!r}: expected {part} inputs of numbers, received {array.dtype} {array.shape}; pass "
            f"text as one string per sample, and a table of mixed columns as a DataFrame with target=."
        )
    if array.size == 0:
        raise InputError(
            f"data {name!r}: the {part} inputs are empty, shape {array.shape}; pass some samples."
        )
    if array.ndim < 2:
        raise InputError(
            f"data {name!r}: expected {part} inputs of shape (samples, ...), received {array.shape}; pass "
            f"x[:, None] if each sample is one number."
        )
    _require_targets(name, part, array, y)
    return array


def _require_targets(name: str, part: str, inputs: np.ndarray, y: Any) -> None:
    array = plain_array(f"data {name!r}: the {part} targets", y, ragged="mend them")
    targets = len(array) if array.ndim else 0
    if len(inputs) != targets:
        raise InputError(
            f"data {name!r}: the {part} part has {len(inputs)} inputs and {targets} targets; pass as many of "
            f"one as of the other."
        )


def _require_same(name: str, part: str, array: np.ndarray, train: np.ndarray) -> None:
    if array.shape[1:] != train.shape[1:] or (array.dtype == np.uint8) != (train.dtype == np.uint8):
        raise InputError(
            f"data {name!r}: a training sample is {train.dtype} of shape {train.shape[1:]} and a {part} "
            f"sample {array.dtype} of shape {array.shape[1:]}; make them the same."
        )


def _image(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim == 3:
        array = array[..., None]
    if array.shape[-1] not in (1, 3, 4):
        raise InputError(
            f"data {name!r}: expected images of shape (samples, height, width, channels) with 1, 3 or 4 "
            f"channels, received {array.shape}; move the channels to the last axis, or pass float32."
        )
    return array.copy()


def _floats(name: str, part: str, array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what does not fit is refused on the next lines, by its sample
        floats = array.astype(np.float32)
    bad = np.flatnonzero(~complete(floats))
    if len(bad):
        allowed = "only a table may have missing values"
        if floats.ndim == 3:
            allowed = "in a series NaN may only stand in all channels of steps at its end, which pads it"
        raise InputError(
            f"data {name!r}: {len(bad)} {part} samples hold NaN or infinite values (in float32), the first "
            f"is sample {bad[0]}; remove or fill them ({allowed})."
        )
    floats[np.isnan(floats)] = np.nan  # one pattern of bits, so that equal series have equal hashes
    return floats

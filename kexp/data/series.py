"""Series of different lengths: padded at their end with steps of NaN, which tell how long each one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import Source
from kexp.data.lengths import cut_to, length_limit


def listed(values: object) -> bool:
    """Whether values are a list, or an array of objects, of (steps, channels) arrays of numbers.

    Matrices of bytes are images, not series.

    Example:
        >>> listed([np.zeros((3, 2)), np.zeros((5, 2))]), listed(np.zeros((4, 3, 2)))
        (True, False)
    """
    if isinstance(values, np.ndarray):
        values = list(values) if values.ndim == 1 and values.dtype == object else []
    if not isinstance(values, list | tuple) or not values:
        return False
    return all(_is_matrix(item) for item in values) and any(
        np.asarray(item).dtype != np.uint8 for item in values
    )


def _is_matrix(item: object) -> bool:
    try:
        array = np.asarray(item)
    except Exception:  # whatever the class of an item raises: it is none
        return False
    return array.ndim == 2 and array.dtype.kind in "biuf"


def pad(name: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Pad the series of all parts to the longest of them, where they are lists; all else stays.

    Args:
        name: Name of the data, for messages.
        parts: Inputs by part.

    Raises:
        InputError: For series with different numbers of channels, or without a step.
    """
    lists = {part: values for part, values in parts.items() if listed(values)}
    if not lists:
        return dict(parts)
    # A part that is an array already is as long as it is, and the others may have to be as long.
    lengths = [len(item) for values in lists.values() for item in values]
    lengths += [np.shape(values)[1] for part, values in parts.items() if part not in lists and _is_3d(values)]
    channels = np.shape(next(iter(lists.values()))[0])[1]
    padded = {
        part: padded_to(f"data {name!r}: the {part}", listing, max(lengths), channels)
        for part, listing in lists.items()
    }
    return {**parts, **padded}


def _is_3d(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.ndim == 3


def without_far_longer(read: Source) -> Source:
    """Return what was read with its far longer series cut, which would set the length of all.

    Args:
        read: Parts of any kind; those whose inputs are no series of different lengths stay.

    Returns:
        The same with series of at most as many steps as the longest of the others, and a note on those that
        were cut; `kexp.data.lengths` says which these are.

    Example:
        >>> walks = [np.zeros((20, 1))] * 200 + [np.zeros((5000, 1))]
        >>> cut = without_far_longer(Source("walks", {"train": (walks, np.zeros(201))}))
        >>> len(cut.parts["train"][0][200]), cut.notes[0][-27:]
        (20, '5,000, training sample 200.')
    """
    lengths = {part: found for part, (x, _) in read.parts.items() if (found := _lengths(x)) is not None}
    if len(lengths) < len(read.parts):
        return read
    limit = length_limit(lengths["train"])
    steps = max(int(each[each <= limit].max(initial=0)) for each in lengths.values())
    cut = cut_to(steps, lengths)
    if cut is None:
        return read
    note = f"data {read.name!r}: of each series the first {steps:,} steps are read, which {cut}."
    parts = {part: (_first_steps(x, steps), y) for part, (x, y) in read.parts.items()}
    return replace(read, parts=parts, notes=(*read.notes, note))


def _lengths(x: Any) -> np.ndarray | None:
    """Return the (samples,) number of steps of series, or None of anything else."""
    if listed(x):
        return np.array([len(item) for item in x])
    return lengths_of(x) if _is_3d(x) and x.dtype.kind == "f" else None


def _first_steps(x: Any, steps: int) -> Any:
    return x[:, :steps] if isinstance(x, np.ndarray) and x.ndim == 3 else [item[:steps] for item in x]


def padded_to(title: str, series: Sequence[Any], steps: int, channels: int) -> np.ndarray:
    """Return series as one array, the steps after the end of each being NaN.

    Args:
        title: What they are, for messages.
        series: (steps_i, channels) numbers each, none longer than `steps`.
        steps: Steps to pad to.
        channels: Channels of every series.

    Returns:
        (samples, steps, channels) float32.

    Raises:
        InputError: For another number of channels, a series without a step, or one that is too long.

    Example:
        >>> padded_to("x:", [[[1, 2]], [[3, 4], [5, 6]]], steps=2, channels=2).tolist()
        [[[1.0, 2.0], [nan, nan]], [[3.0, 4.0], [5.0, 6.0]]]
    """
    padded = np.full((len(series), steps, channels), np.nan, np.float32)
    for number, item in enumerate(series):
        array = np.asarray(item)
        if array.shape[1:] != (channels,) or not 0 < len(array) <= steps:
            raise InputError(
                f"{title} series must have the shape (steps, {channels}) with 1 to {steps} steps, received "
                f"{array.shape} at sample {number}; cut or mend it."
            )
        with np.errstate(over="ignore"):  # what does not fit is found by `complete`
            padded[number, : len(array)] = array
    return padded


def with_lengths(name: str, part: str, inputs: Any, lengths: Any) -> Any:
    """Return (samples, steps, channels) numbers with NaN in place of the steps after each true length.

    Args:
        name: Name of the data, for messages.
        part: Part of the data, for messages.
        inputs: Arrays that are no such series, such as images, are returned as they are.
        lengths: (samples,) whole numbers from 1 to steps.

    Raises:
        InputError: For lengths that are not such numbers.
    """
    array: np.ndarray = np.empty(0) if listed(inputs) else np.asarray(inputs)
    if array.ndim != 3 or array.dtype == np.uint8 or array.dtype.kind not in "biuf":
        return inputs
    lengths, steps = np.asarray(lengths), array.shape[1]
    if lengths.shape != array.shape[:1] or lengths.dtype.kind not in "iu":
        raise InputError(
            f"data {name!r}: expected length_{part} of shape ({len(array)},), a whole number for each "
            f"series, received {lengths.dtype} {lengths.shape}; correct or remove it."
        )
    outside = np.flatnonzero((lengths < 1) | (lengths > steps))
    if len(outside):
        raise InputError(
            f"data {name!r}: expected lengths from 1 to {steps} in length_{part}, received "
            f"{lengths[outside[0]]} at sample {outside[0]}; correct it."
        )
    with np.errstate(over="ignore"):
        floats = array.astype(np.float32)
    floats[np.arange(steps) >= lengths[:, None]] = np.nan
    return floats


def lengths_of(array: np.ndarray) -> np.ndarray:
    """Return the (samples,) number of steps of each series up to its last one that is not all NaN.

    Args:
        array: (samples, steps, channels) floats, NaN in all channels of the steps that are padding.

    Example:
        >>> lengths_of(padded_to("x:", [[[1, 2]], [[3, 4], [5, 6]]], steps=3, channels=2)).tolist()
        [1, 2]
    """
    real = ~np.isnan(array).all(axis=2)  # (samples, steps)
    return np.where(real.any(axis=1), array.shape[1] - real[:, ::-1].argmax(axis=1), 0)


def complete(array: np.ndarray) -> np.ndarray:
    """Return for each sample whether its numbers are finite; a series may end in steps that are padding.

    Args:
        array: (samples, ...) numbers; those of rank 3 and of a float type are series.

    Returns:
        (samples,) truth values.

    Example:
        >>> complete(np.array([[[1], [np.nan]], [[np.nan], [1]], [[np.nan], [np.nan]]])).tolist()
        [True, False, False]
    """
    finite = np.isfinite(array)
    if array.ndim == 3 and array.dtype.kind == "f" and not finite.all():
        lengths = lengths_of(array)
        finite |= (np.arange(array.shape[1]) >= lengths[:, None])[..., None]
        finite[lengths == 0] = False
    return finite.reshape(len(array), -1).all(axis=1)


def goes_on(inputs: np.ndarray, targets: np.ndarray) -> bool:
    """Return whether samples are windows that follow on one another, with the next values as their targets.

    Args:
        inputs: (samples, steps, channels).
        targets: (samples, outputs), of which the first is the next value of the first channel.

    Example:
        >>> windows = np.lib.stride_tricks.sliding_window_view(np.arange(9.0), 3)[..., None]
        >>> goes_on(windows[:-1], np.arange(3.0, 9.0)[:, None]), goes_on(windows[:-1], np.zeros((6, 1)))
        (True, False)
    """
    follows = inputs[1:, -1, 0] == targets[:-1, 0].astype(inputs.dtype)
    return len(inputs) > 2 and bool(follows.mean() > 0.5)

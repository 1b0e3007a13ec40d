"""Depths of a model: what each of its layers with weights sees, from the input on, as numbers per sample."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from kexp.data.dataset import Inputs
from kexp.evaluation.explain.explained_model import ExplainedModel, is_float, some
from kexp.models.layer_outputs import Place

_MOST = 1024  # numbers of a sample that are looked at


class Depth(NamedTuple):
    """A depth of a model.

    Attributes:
        name: The layer that has come before, or "input".
        place: Where its tensor is; None: the output of the model.
    """

    name: str
    place: Place | None


def depths(explained: ExplainedModel, inputs: Inputs, most: int = 12) -> tuple[Depth, ...]:
    """Return the depths of a model: what each layer with a matrix of weights sees, and the output.

    What stands between two such layers, normalisation, activation and pooling, belongs to the first.

    Args:
        explained: The model.
        inputs: A few samples.
        most: Depths, 2 or more, default 12, the first and the last among them.
    """
    found: list[Depth] = []
    before, seen = "input", set()
    for place, value in explained.activations(some(inputs, slice(0, 2))):
        if place.side == "input" and has_kernel(place.layer):
            if id(value) not in seen:
                found.append(Depth(before, place))
                seen.add(id(value))
            before = place.name
        elif place.side == "input" and _looks_up(place.layer):
            before = place.name
    found.append(Depth(before if before != "input" else "output", None))
    chosen = np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int))
    return tuple(found[index] for index in chosen)


def has_kernel(layer: keras.layers.Layer) -> bool:
    """Return whether a layer has a matrix of floating-point weights, or more axes than that.

    Example:
        >>> dense = keras.layers.Dense(2)
        >>> dense.build((None, 3))
        >>> has_kernel(dense), has_kernel(keras.layers.ReLU())
        (True, False)
    """
    if isinstance(layer, keras.Model) or _looks_up(layer):
        return False
    return any(len(weight.shape) > 1 and is_float(weight) for weight in layer.weights)


def _looks_up(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Embedding)


def pooled_activations(
    explained: ExplainedModel, inputs: Inputs, points: tuple[Depth, ...]
) -> list[np.ndarray]:
    """Return (samples, numbers) of what there is at each depth, as `pooled` makes it."""
    parts: list[list[np.ndarray]] = [[] for _ in points]
    for found in explained.activations_by_batch(inputs):
        values = dict(found)
        for part, point in zip(parts, points, strict=True):
            if point.place is not None:
                part.append(pooled(np.asarray(values[point.place], np.float32)))
    whole = [np.concatenate(part) if part else np.zeros(0) for part in parts]
    outputs = pooled(explained.outputs(inputs)) if points[-1].place is None else None
    return [outputs if point.place is None else one for point, one in zip(points, whole, strict=True)]  # type: ignore[misc]


def pooled(values: np.ndarray, most: int = _MOST) -> np.ndarray:
    """Return (samples, numbers): means over neighbouring positions, until there are few enough.

    Args:
        values: (samples, ..., channels).
        most: Numbers of a sample, unless there are more channels; default 1,024. Of more than four times as
            many channels so many are drawn.

    Example:
        >>> pooled(np.arange(8.0).reshape(1, 4, 2), most=4).tolist()
        [[1.0, 2.0, 5.0, 6.0]]
    """
    values = np.nan_to_num(values)
    axes = values.ndim - 2
    side = max(1, int((most / values.shape[-1]) ** (1 / axes) + 1e-9)) if axes > 0 else 1
    for axis in range(1, values.ndim - 1):
        if values.shape[axis] > side:
            values = np.stack([part.mean(axis) for part in np.array_split(values, side, axis)], axis)
    flat = values.reshape(len(values), -1)
    if flat.shape[1] <= 4 * most:
        return flat
    return flat[:, np.sort(np.random.default_rng(0).choice(flat.shape[1], 4 * most, replace=False))]


def as_array(value: Any) -> np.ndarray:
    """Return a tensor as float32 that NumPy knows."""
    return np.nan_to_num(np.asarray(value, np.float32))

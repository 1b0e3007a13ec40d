"""Depths of a model: what each of its layers with weights sees, from the input on, as numbers per sample."""

from __future__ import annotations

from typing import NamedTuple

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
        place: Where its tensor is; None: the output of the model, which is the last.
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
        if not has_kernel(place.layer):
            continue
        # What gives numbers for whole numbers, as an embedding does, is not seen from its input's side.
        if place.side == "input" and id(value) not in seen:
            found.append(Depth(before, place))
            seen.add(id(value))
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
    if isinstance(layer, keras.Model):
        return False
    return any(len(weight.shape) > 1 and is_float(weight) for weight in layer.weights)


def pooled_activations(
    explained: ExplainedModel, inputs: Inputs, points: tuple[Depth, ...]
) -> list[np.ndarray]:
    """Return (samples, numbers) of what there is at each depth, as `pooled` makes it."""
    places = [point.place for point in points if point.place is not None]
    parts: dict[Place, list[np.ndarray]] = {place: [] for place in places}
    for found in explained.activations_at(inputs, places):
        for place in places:
            parts[place].append(pooled(found[place]))
    whole = [np.concatenate(parts[place]) for place in places]
    return whole if len(whole) == len(points) else [*whole, pooled(explained.outputs(inputs))]


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
    axes = values.ndim - 2
    side = max(1, int((most / values.shape[-1]) ** (1 / axes) + 1e-9)) if axes > 0 else 1
    for axis in range(1, values.ndim - 1):
        if values.shape[axis] > side:
            values = np.stack([part.mean(axis) for part in np.array_split(values, side, axis)], axis)
    flat = values.reshape(len(values), -1)
    if flat.shape[1] <= 4 * most:
        return flat
    return flat[:, np.sort(np.random.default_rng(0).choice(flat.shape[1], 4 * most, replace=False))]

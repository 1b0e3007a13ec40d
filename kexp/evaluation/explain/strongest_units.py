"""Strongest activations: at a few depths the units that tell samples apart most, and what makes them respond."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kexp.data.dataset import Inputs, sample_count
from kexp.evaluation.explain.depth import Depth, as_array, depths
from kexp.evaluation.explain.explained_model import ExplainedModel


@dataclass(frozen=True)
class StrongestUnits:
    """Units of one layer and the samples that they respond to most.

    Attributes:
        layer: What the units are of.
        units: (units,) indices of channels.
        samples: (units, samples) rows of the samples that were given, the strongest first.
        values: (units, samples) activations, each the greatest of all positions.
        count: Channels that the layer has.
    """

    layer: str
    units: np.ndarray
    samples: np.ndarray
    values: np.ndarray
    count: int


def strongest_units(
    explained: ExplainedModel, inputs: Inputs, *, layers: int = 3, units: int = 5, samples: int = 8
) -> tuple[StrongestUnits, ...]:
    """Return units of an early, a middle and a late layer with the samples that cause their activations.

    The units of a layer are those whose strongest activations are farthest above their mean, in standard
    deviations.

    Args:
        explained: The model.
        inputs: (samples, ...) to look among.
        layers: Depths, evenly taken, default 3.
        units: Of each layer, default 5.
        samples: Of each unit, default 8.
    """
    every = depths(explained, inputs, most=1_000_000)
    points = [point for point in every[1:] if point.place is not None]
    chosen = np.unique(np.linspace(0, len(points) - 1, min(layers, len(points))).round().astype(int))
    peaks = _peaks(explained, inputs, [points[index] for index in chosen])
    return tuple(
        _strongest(points[index].name, values, units, min(samples, sample_count(inputs)))
        for index, values in zip(chosen, peaks, strict=True)
    )


def _peaks(explained: ExplainedModel, inputs: Inputs, points: list[Depth]) -> list[np.ndarray]:
    """Return (samples, channels) at each depth: the greatest of all positions."""
    parts: list[list[np.ndarray]] = [[] for _ in points]
    for found in explained.activations_by_batch(inputs):
        values = dict(found)
        for part, point in zip(parts, points, strict=True):
            assert point.place is not None
            array = as_array(values[point.place])
            part.append(array.max(axis=tuple(range(1, array.ndim - 1))))
    return [np.concatenate(part) for part in parts]


def _strongest(layer: str, values: np.ndarray, units: int, samples: int) -> StrongestUnits:
    order = np.argsort(-values, axis=0, kind="stable")[:samples]  # (samples, channels)
    strongest = np.take_along_axis(values, order, axis=0)
    spread = values.std(axis=0)
    # A unit that never changes tells nothing.
    above = np.where(spread > 1e-6, (strongest.mean(axis=0) - values.mean(axis=0)) / (spread + 1e-12), -1.0)
    chosen = np.argsort(-above, kind="stable")[:units]
    chosen = chosen[above[chosen] > 0]
    return StrongestUnits(layer, chosen, order[:, chosen].T, strongest[:, chosen].T, values.shape[1])

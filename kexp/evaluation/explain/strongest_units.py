"""Strongest activations: units at a few depths, and the samples that they respond to most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kexp.data.dataset import Inputs, sample_count
from kexp.evaluation.explain.depth import depths
from kexp.evaluation.explain.explained_model import ExplainedModel
from kexp.models.layer_outputs import Place


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
    points = [(point.name, point.place) for point in every[1:] if point.place is not None]
    chosen = np.unique(np.linspace(0, len(points) - 1, min(layers, len(points))).round().astype(int))
    names, places = [points[index][0] for index in chosen], [points[index][1] for index in chosen]
    return tuple(
        _strongest(name, values, units, min(samples, sample_count(inputs)))
        for name, values in zip(names, _peaks(explained, inputs, places), strict=True)
    )


def _peaks(explained: ExplainedModel, inputs: Inputs, places: Sequence[Place]) -> list[np.ndarray]:
    """Return (samples, channels) at each place: the greatest of all positions."""
    parts: dict[Place, list[np.ndarray]] = {place: [] for place in places}
    for found in explained.activations_at(inputs, places):
        for place in places:
            parts[place].append(found[place].max(axis=tuple(range(1, found[place].ndim - 1))))
    return [np.concatenate(parts[place]) for place in places]


def _strongest(layer: str, values: np.ndarray, units: int, samples: int) -> StrongestUnits:
    order = np.argsort(-values, axis=0, kind="stable")[:samples]  # (samples, channels)
    strongest = np.take_along_axis(values, order, axis=0)
    spread = values.std(axis=0)
    # A unit that never changes tells nothing.
    above = np.where(spread > 1e-6, (strongest.mean(axis=0) - values.mean(axis=0)) / (spread + 1e-12), -1.0)
    chosen = np.argsort(-above, kind="stable")[:units]
    chosen = chosen[above[chosen] > 0]
    return StrongestUnits(layer, chosen, order[:, chosen].T, strongest[:, chosen].T, values.shape[1])

"""Grad-CAM: where the last feature maps of a convolutional network speak for an output."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kexp.data.dataset import Inputs, sample_count
from kexp.evaluation.explain.explained_model import ExplainedModel, some
from kexp.models.layer_outputs import Place

_AT_ONCE = 16
_LEAST = 4  # rows and columns of the maps that are looked at, where a network has such


def grad_cam(explained: ExplainedModel, inputs: Inputs, targets: np.ndarray) -> np.ndarray | None:
    """Return where the last feature maps of a network, of 4 × 4 positions or more, speak for an output.

    The maps are added up, each weighted by the mean of the gradient of the score over its positions; what is
    below zero speaks for others and is left out.

    Source: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization".

    Args:
        explained: The model.
        inputs: (samples, ...) images.
        targets: (samples,) index of the output each.

    Returns:
        (samples, rows, columns) float32 of the last feature maps, which `enlarged` brings to the size of the
        images; None for a network without such, and for one whose output is a map itself.
    """
    if explained.outputs(some(inputs, slice(0, 1))).ndim > 2:
        return None
    parts = [
        _maps(explained, some(inputs, rows), targets[rows])
        for rows in (slice(first, first + _AT_ONCE) for first in range(0, sample_count(inputs), _AT_ONCE))
    ]
    found = [one for one in parts if one is not None]
    return np.concatenate(found) if found else None


def _maps(explained: ExplainedModel, inputs: Inputs, targets: np.ndarray) -> np.ndarray | None:
    maps = _feature_maps(explained, inputs)
    if not maps:
        return None
    # Maps of two by two positions point at a quarter of the image.
    place, value = ([one for one in maps if min(one[1].shape[1:3]) >= _LEAST] or maps)[-1]
    _, gradient = explained.gradient(inputs, targets, place, ops.convert_to_tensor(value))
    weights = gradient.mean(axis=(1, 2), keepdims=True)  # (samples, 1, 1, channels)
    return np.maximum((weights * np.asarray(value, np.float32)).sum(axis=-1), 0.0)


def _feature_maps(explained: ExplainedModel, inputs: Inputs) -> list[tuple[Place, Any]]:
    """Return what there is of (samples, rows, columns, channels) from the first convolution on."""
    found: list[tuple[Place, Any]] = []
    for place, value in explained.activations(inputs):
        convolves = any(len(weight.shape) == 4 for weight in place.layer.weights)
        is_map = place.side == "output" and len(value.shape) == 4 and min(value.shape[1:3]) > 1
        if is_map and (found or convolves) and not isinstance(place.layer, keras.Model):
            found.append((place, value))
    return found


def enlarged(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return (samples, rows, columns) maps in the size of images, by linear interpolation.

    Example:
        >>> enlarged(np.ones((1, 2, 2), "float32"), (4, 6)).shape
        (1, 4, 6)
    """
    if maps.shape[1:] == tuple(size):
        return maps
    resized = ops.image.resize(maps[..., None].astype(np.float32), size, interpolation="bilinear")
    return np.asarray(resized)[..., 0]

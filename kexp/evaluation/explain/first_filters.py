"""First-layer filters: the patterns that the first layer with weights looks for, in the form of its input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np

from kexp.data.dataset import Inputs
from kexp.evaluation.explain.depth import has_kernel
from kexp.evaluation.explain.explained_model import ExplainedModel, is_float, some

_MOST = 64


@dataclass(frozen=True)
class FirstFilters:
    """Filters of the first layer that has weights.

    Attributes:
        layer: Its name.
        kind: "image" where they can be looked at as pixels, "series" where as lines.
        filters: (filters, height, width, channels) or (filters, steps, channels) float32, those with the
            largest weights first.
        count: How many the layer has; `filters` are 64 of them at most.
    """

    layer: str
    kind: Literal["image", "series"]
    filters: np.ndarray
    count: int


def first_filters(explained: ExplainedModel, inputs: Inputs) -> FirstFilters | None:
    """Return the filters of the first layer with a matrix of weights; None where they are no pictures.

    They are the kernels of a convolution over images or series, or the columns of a dense layer's matrix in
    the shape of the image or series that it sees.

    Args:
        explained: The model.
        inputs: A few samples, by which it is known what is first.
    """
    found = explained.activations(some(inputs, slice(0, 1)))
    first = next((place for place, _ in found if place.side == "input" and has_kernel(place.layer)), None)
    if first is None:
        return None
    kernel = next(
        (np.asarray(weight, np.float32) for weight in first.layer.weights if _is_kernel(weight)), None
    )
    if kernel is None:
        return None
    filters = np.moveaxis(kernel, -1, 0)  # (filters, ..., channels)
    if kernel.ndim == 2:
        shape = explained.spec.input_shape
        seen = isinstance(shape, tuple) and len(shape) > 1 and None not in shape
        if not seen or math.prod(shape) != kernel.shape[0]:
            return None
        filters = filters.reshape(-1, *shape)
    if filters.ndim not in (3, 4):
        return None
    order = np.argsort(-np.abs(filters).reshape(len(filters), -1).sum(axis=1), kind="stable")[:_MOST]
    return FirstFilters(first.name, "image" if filters.ndim == 4 else "series", filters[order], len(filters))


def _is_kernel(weight: keras.Variable) -> bool:
    return len(weight.shape) > 1 and is_float(weight)

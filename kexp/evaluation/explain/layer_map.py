"""Maps of a layer: samples as points of a plane, near to one another where the layer sees them alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import Inputs, sample_count
from kexp.evaluation.explain.depth import depths, pooled_activations
from kexp.evaluation.explain.explained_model import ExplainedModel

_LEAST = 12  # samples of a map
_COMPONENTS = 30  # that t-SNE begins with


@dataclass(frozen=True)
class LayerMap:
    """A layer's activations in two numbers for each sample.

    Attributes:
        layer: What is mapped.
        method: "t-SNE" or "PCA".
        points: (samples, 2).
        shares: Of the variance that each of the principal components has; () of t-SNE.
    """

    layer: str
    method: Literal["t-SNE", "PCA"]
    points: np.ndarray
    shares: tuple[float, ...] = ()


def layer_map(
    explained: ExplainedModel,
    inputs: Inputs,
    *,
    layer: str | None = None,
    method: Literal["t-SNE", "PCA"] = "PCA",
    seed: int = 0,
) -> LayerMap | None:
    """Return a map of what the last layer with weights sees of samples, or of what comes after another one.

    Source of t-SNE: van der Maaten and Hinton 2008, "Visualizing Data using t-SNE"; scikit-learn computes it.

    Args:
        explained: The model.
        inputs: (samples, ...), hundreds.
        layer: Name of a depth, as of `depths`; default the last one before the output.
        method: "PCA" (default), the two directions in which samples differ most, or "t-SNE", which keeps
            neighbours together and takes a minute for a thousand samples.
        seed: Of t-SNE, default 0.

    Returns:
        The map; None for less than 12 samples, or for a layer of one number.

    Raises:
        InputError: There is no such layer.
    """
    points = depths(explained, inputs, most=1_000_000)
    hidden = [point for point in points if point.place is not None] or list(points)
    named = [point for point in points if point.name == layer] if layer is not None else hidden[-1:]
    if not named:
        known = ", ".join(point.name for point in points)
        raise InputError(f"layer must be one of {known}; received {layer!r}.")
    if sample_count(inputs) < _LEAST:
        return None
    values = pooled_activations(explained, inputs, (named[-1],))[0]
    if values.shape[1] < 2:
        return None
    return _mapped(named[-1].name, values.astype(np.float64), method, seed)


def _mapped(name: str, values: np.ndarray, method: Literal["t-SNE", "PCA"], seed: int) -> LayerMap:
    from sklearn.decomposition import PCA

    first = PCA(min(_COMPONENTS if method == "t-SNE" else 2, *values.shape), random_state=seed)
    reduced = first.fit_transform(values)
    if method == "PCA":
        shares = np.nan_to_num(first.explained_variance_ratio_)
        return LayerMap(name, "PCA", reduced, tuple(map(float, shares)))
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(values) - 1) / 3)
    made = TSNE(2, perplexity=perplexity, init="random", learning_rate="auto", random_state=seed)
    # Numbers that are all alike, of a layer that gives nothing, have no neighbours.
    points = made.fit_transform(reduced) if reduced.std() > 0 else np.zeros((len(values), 2))
    return LayerMap(name, "t-SNE", points)

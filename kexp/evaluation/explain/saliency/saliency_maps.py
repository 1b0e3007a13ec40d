"""Saliency maps by several methods, each with what the randomisation test says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kexp.data.dataset import Inputs
from kexp.evaluation.explain.explained_model import ExplainedModel, only_images
from kexp.evaluation.explain.saliency.grad_cam import grad_cam
from kexp.evaluation.explain.saliency.integrated_gradients import integrated_gradients
from kexp.evaluation.explain.saliency.occlusion import occluded_patches, occluded_steps, occluded_words
from kexp.evaluation.explain.saliency.weight_randomisation import LIMIT, randomised, rank_correlation

_SEEDS = (0, 1)


@dataclass(frozen=True)
class SaliencyMaps:
    """What in each sample speaks for the output that is explained, if the map passes the randomisation test.

    Attributes:
        method: "integrated gradients", "Grad-CAM" or "occlusion".
        correlation: Mean rank correlation of the maps' absolute values with those of the same network with
            shuffled weights; None where it could not be told.
        maps: A map for each sample, (rows, columns) of images, (steps,) of series, (pieces,) of texts;
            () where the correlation is above `LIMIT` or unknown.
        pieces: Of texts the words or tokens that the numbers of each map stand for.
    """

    method: str
    correlation: float | None
    maps: tuple[np.ndarray, ...] = ()
    pieces: tuple[tuple[str, ...], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the maps change when the weights are shuffled."""
        return self.correlation is not None and self.correlation <= LIMIT


Method = Callable[[], Sequence[np.ndarray] | None]


def saliency_maps(
    explained: ExplainedModel,
    inputs: Inputs,
    targets: np.ndarray,
    *,
    tokens: Sequence[tuple[str, ...]] = (),
    seeds: Sequence[int] = _SEEDS,
) -> tuple[SaliencyMaps, ...]:
    """Return saliency maps of samples by the methods that suit them, those alone that pass the test.

    Each map is made anew with the weights shuffled: one that stays alike, as an edge detector's would, shows
    the sample and not what was learned.

    Source: Adebayo et al. 2018, "Sanity Checks for Saliency Maps".

    Args:
        explained: The model.
        inputs: A few images, texts or series.
        targets: (samples,) index of the output each.
        tokens: Of each text, as `token_names` gives them; (default) none: no gradients of texts.
        seeds: Of the shufflings, default two; the correlation is the mean of theirs.
    """
    methods, pieces = _methods(explained, inputs, targets, tokens)
    found = []
    for name, method in methods.items():
        maps = method()
        if maps is None:
            continue
        correlation = _correlation(explained, method, maps, seeds)
        one = SaliencyMaps(name, correlation, tuple(maps), pieces.get(name, ()))
        found.append(one if one.passed else SaliencyMaps(name, correlation))
    return tuple(found)


def _correlation(
    explained: ExplainedModel, method: Method, maps: Sequence[np.ndarray], seeds: Sequence[int]
) -> float | None:
    found = []
    for seed in seeds:
        with randomised(explained.model, seed):
            others = method()
        found.append(None if others is None else rank_correlation(maps, others))
    known = [one for one in found if one is not None]
    return float(np.mean(known)) if known else None


def _methods(
    explained: ExplainedModel, inputs: Inputs, targets: np.ndarray, tokens: Sequence[tuple[str, ...]]
) -> tuple[dict[str, Method], Mapping[str, Any]]:
    """Return the methods that suit the inputs by name, and the pieces of texts that their numbers are of."""
    gradients: Method = partial(_gradients, explained, inputs, targets, tokens)
    if explained.spec.kind == "text":
        words = tuple(piece for piece, _ in occluded_words(explained, inputs, targets))
        methods: dict[str, Method] = {"integrated gradients": gradients} if tokens else {}
        methods["occlusion"] = lambda: [one for _, one in occluded_words(explained, inputs, targets)]
        return methods, {"integrated gradients": tuple(tokens), "occlusion": words}
    of_images = only_images(inputs) is not None if isinstance(inputs, Mapping) else inputs.ndim == 4
    if of_images:
        return {
            "integrated gradients": gradients,
            "Grad-CAM": lambda: _listed(grad_cam(explained, inputs, targets)),
            "occlusion": lambda: _listed(occluded_patches(explained, inputs, targets)),
        }, {}
    if not isinstance(inputs, Mapping) and inputs.ndim == 3:
        array = inputs
        return {
            "integrated gradients": lambda: _real_steps(gradients(), array),
            "occlusion": lambda: _real_steps(occluded_steps(explained, array, targets), array),
        }, {}
    return {}, {}


def _gradients(
    explained: ExplainedModel, inputs: Inputs, targets: np.ndarray, tokens: Sequence[tuple[str, ...]]
) -> Sequence[np.ndarray] | None:
    maps = integrated_gradients(explained, inputs, targets)
    if maps is None or not tokens:
        return _listed(maps)
    if max(map(len, tokens)) > maps.shape[1]:  # the network sees others than the text has
        return None
    return [one[: len(names)] for one, names in zip(maps, tokens, strict=True)]


def _real_steps(
    maps: Sequence[np.ndarray] | np.ndarray | None, series: np.ndarray
) -> Sequence[np.ndarray] | None:
    """Return maps of series without the steps of padding, which would be alike in all of them."""
    if maps is None or len(maps[0]) != series.shape[1]:
        return None if maps is None else list(maps)
    known = np.isfinite(series).all(axis=2) if series.dtype.kind == "f" else np.ones(series.shape[:2], bool)
    ends = [int(np.flatnonzero(row)[-1]) + 1 if row.any() else 1 for row in known]
    return [one[:end] for one, end in zip(maps, ends, strict=True)]


def _listed(maps: np.ndarray | None) -> list[np.ndarray] | None:
    return None if maps is None else list(maps)

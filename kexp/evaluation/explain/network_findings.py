"""Findings: all that is known of what a network learned, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kexp.data import DatasetSpec
from kexp.data.dataset import Inputs
from kexp.evaluation.explain.attention_maps import AttentionMap
from kexp.evaluation.explain.first_filters import FirstFilters
from kexp.evaluation.explain.layer_map import LayerMap
from kexp.evaluation.explain.layer_probe import LayerProbe
from kexp.evaluation.explain.partial_dependence import PartialDependence
from kexp.evaluation.explain.permutation_importance import PermutationImportance
from kexp.evaluation.explain.saliency.saliency_maps import SaliencyMaps
from kexp.evaluation.explain.strongest_units import StrongestUnits


@dataclass(frozen=True, eq=False)
class ExplainedSamples:
    """The samples whose outputs are explained.

    Attributes:
        inputs: As the data has them.
        targets: (samples,) index of the output of each that is explained: the most probable class.
        answers: What the model says of each, in words.
        truth: What each is, in words; () where that is not known.
        tokens: Of texts, what the network takes each to be made of; () where that is not known.
    """

    inputs: Inputs
    targets: np.ndarray
    answers: tuple[str, ...]
    truth: tuple[str, ...] = ()
    tokens: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Findings:
    """What a network learned; what does not suit the model or its data is None or empty.

    Attributes:
        spec: What goes into the model and comes out.
        samples: Those that are explained one by one.
        saliency: What in them speaks for the output, by each method that suits them.
        attention: What they look at in themselves.
        filters: Patterns that the first layer looks for.
        probe: How well the target can be read off each layer.
        looked_at: Validation samples that units and the map are of; None: no data.
        labels: (samples,) class indices of these, or None.
        units: What units of an early, a middle and a late layer respond to.
        map: The last layer's view of these samples.
        importance: What is lost by each column of a table, or input.
        dependence: How predictions follow the most important columns.
        notes: What was left out, and why, sentences.
    """

    spec: DatasetSpec
    samples: ExplainedSamples
    saliency: tuple[SaliencyMaps, ...] = ()
    attention: tuple[AttentionMap, ...] = ()
    filters: FirstFilters | None = None
    probe: LayerProbe | None = None
    looked_at: Inputs | None = None
    labels: np.ndarray | None = None
    units: tuple[StrongestUnits, ...] = ()
    map: LayerMap | None = None
    importance: PermutationImportance | None = None
    dependence: tuple[PartialDependence, ...] = ()
    notes: tuple[str, ...] = ()

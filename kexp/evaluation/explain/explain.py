"""What a network learned: all explanations that suit a model and its data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kexp.core.errors import InputError
from kexp.data import Split, class_names
from kexp.data.dataset import Inputs, sample_count
from kexp.data.splits import hold_out, taken
from kexp.evaluation.explain.attention_maps import attention_maps
from kexp.evaluation.explain.explained_model import ExplainedModel, some
from kexp.evaluation.explain.first_filters import first_filters
from kexp.evaluation.explain.layer_map import layer_map
from kexp.evaluation.explain.layer_probe import drawn, layer_probe
from kexp.evaluation.explain.network_findings import ExplainedSamples, Findings
from kexp.evaluation.explain.partial_dependence import PartialDependence, partial_dependence
from kexp.evaluation.explain.permutation_importance import PermutationImportance, permutation_importance
from kexp.evaluation.explain.saliency.saliency_maps import SaliencyMaps, saliency_maps
from kexp.evaluation.explain.saliency.token_names import token_names
from kexp.evaluation.explain.strongest_units import strongest_units
from kexp.run.inference import state_kept
from kexp.tasks import task_named
from kexp.tasks.class_choice import class_probabilities

SHOWN = 6  # samples that are explained one by one, unless the caller gives some
MOST_SHOWN = 16
_LOOKED_AT = 500
_CURVES = 4  # columns whose partial dependence is looked at
_SEED = 0


def findings(
    explained: ExplainedModel,
    inputs: Inputs | None = None,
    *,
    train: Split | None = None,
    validation: Split | None = None,
) -> Findings:
    """Return what a network learned, from some samples and from the data that it was trained on.

    Linear probes are fitted to 1,000 training samples; all else is seen on 500 validation samples or less,
    and by six of them or by `inputs`. The weights are what they were when it ends.

    Args:
        explained: The model.
        inputs: Samples to explain, 16 at most, as the data has them; default six validation samples, of
            different classes where there are so many.
        train: The training part; None (default): none of what needs it.
        validation: The validation part; None (default): training samples that the probes are not fitted to.

    Raises:
        InputError: There are no samples or more than 16, or the model gives no numbers.
    """
    from threadpoolctl import threadpool_limits

    notes: list[str] = []
    if train is not None and validation is None:
        train, validation = _held_out(train)
        notes.append("Without a validation part all is seen on samples that the network was trained on.")
    seen = None if validation is None else drawn(validation, _LOOKED_AT, _SEED)
    samples = _samples(explained, inputs, seen)
    # Many threads for small matrices take longer than one.
    with state_kept(explained.model), threadpool_limits(1, "blas"):
        maps = _saliency(explained, samples)
        found: dict[str, Any] = {}
        if seen is not None and train is not None:
            importance, dependence = _columns(explained, seen)
            found = {
                "probe": layer_probe(explained, train, seen, seed=_SEED),
                "looked_at": seen.inputs,
                "labels": _labels(explained, seen),
                "units": strongest_units(explained, seen.inputs),
                "map": layer_map(explained, seen.inputs, seed=_SEED),
                "importance": importance,
                "dependence": dependence,
            }
        else:
            notes.append("Without the data of the run there are no probes, units, maps and importances.")
        return Findings(
            explained.spec,
            samples,
            saliency=maps,
            attention=attention_maps(explained, samples.inputs),
            filters=first_filters(explained, samples.inputs),
            notes=tuple(notes),
            **found,
        )


def _held_out(train: Split) -> tuple[Split, Split]:
    kept, held = hold_out(np.zeros(len(train), int), 0.2, _SEED)
    return taken(train, kept), taken(train, held)


def _samples(explained: ExplainedModel, inputs: Inputs | None, seen: Split | None) -> ExplainedSamples:
    truth: tuple[str, ...] = ()
    if inputs is None:
        if seen is None:
            raise InputError("inputs must be given where there are no data; give some samples.")
        few = taken(seen, _different(explained, seen))
        inputs, truth = few.inputs, _truth(explained, few)
    if not 1 <= sample_count(inputs) <= MOST_SHOWN:
        raise InputError(
            f"inputs must be 1 to {MOST_SHOWN} samples; received {sample_count(inputs)}, so give fewer."
        )
    try:
        outputs = explained.outputs(inputs)
    except (ValueError, TypeError):  # texts, as a model that translates gives them
        raise InputError(
            f"explain takes models that give numbers; one for {explained.spec.task} gives something else."
        ) from None
    tokens = token_names(explained, inputs) if explained.spec.kind == "text" else None
    answers = _answers(explained, outputs)
    return ExplainedSamples(inputs, explained.targets(inputs), answers, truth, tuple(tokens or ()))


def _different(explained: ExplainedModel, seen: Split) -> np.ndarray:
    """Return a few rows drawn by chance, of different classes first."""
    order = np.random.default_rng(_SEED).permutation(sample_count(seen.inputs))
    labels = _labels(explained, seen)
    if labels is not None:
        _, first = np.unique(labels[order], return_index=True)
        order = np.concatenate([order[np.sort(first)], np.delete(order, first)])
    return order[:SHOWN]


def _labels(explained: ExplainedModel, split: Split) -> np.ndarray | None:
    plain = isinstance(split.targets, np.ndarray) and split.targets.ndim == 1
    return split.targets if plain and task_named(explained.spec.task).has_labels else None


def _truth(explained: ExplainedModel, split: Split) -> tuple[str, ...]:
    labels = _labels(explained, split)
    if labels is not None:
        names = class_names(explained.spec)
        return tuple(names[label] for label in labels)
    if task_named(explained.spec.task).has_residuals and isinstance(split.targets, np.ndarray):
        return tuple(f"{float(value.ravel()[0]):.4g}" for value in split.targets)
    return ()


def _answers(explained: ExplainedModel, outputs: np.ndarray) -> tuple[str, ...]:
    """Return in words what of the outputs is explained."""
    spec, task = explained.spec, task_named(explained.spec.task)
    if not task.has_labels or outputs.ndim != 2:
        flat = outputs.reshape(len(outputs), -1)
        return tuple(f"{row.max():.4g}" for row in flat) if outputs.ndim <= 2 else ("",) * len(outputs)
    shares = class_probabilities(outputs, not explained.from_logits, spec.temperature)
    names = class_names(spec)
    return tuple(f"{names[row.argmax()]}, {100 * row.max():.0f} %" for row in shares)


def _saliency(explained: ExplainedModel, samples: ExplainedSamples) -> tuple[SaliencyMaps, ...]:
    task = task_named(explained.spec.task)
    # Of a reconstruction no single number is what the model says.
    if not (task.has_logits or task.has_residuals or task.takes_any_outputs):
        return ()
    return saliency_maps(explained, samples.inputs, samples.targets, tokens=samples.tokens)


def _columns(
    explained: ExplainedModel, seen: Split
) -> tuple[PermutationImportance | None, Sequence[PartialDependence]]:
    importance = permutation_importance(explained, seen, seed=_SEED)
    if importance is None:
        return None, ()
    few = some(seen.inputs, slice(0, 300))
    return importance, partial_dependence(explained, few, importance.columns[:_CURVES])

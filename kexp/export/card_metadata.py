"""Card metadata: the head of a model card, by which the Hugging Face Hub finds and compares models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kexp.export.manifest import Manifest
from kexp.tasks import task_named

_SPLITS = {"test": "test_", "validation": "val_"}


def card_metadata(manifest: Manifest, title: str, data_name: str) -> dict[str, Any]:
    """Return the metadata of a model card: licence if given, library, tags, task and measured metrics.

    Args:
        manifest: Of the export.
        title: Name of the model.
        data_name: Name of the data; "": not known, and then there are no results.

    Example:
        >>> from kexp.data.dataset import DatasetSpec
        >>> spec = DatasetSpec("image", (8, 8, 1), "uint8", "classification", 10)
        >>> card_metadata(Manifest(spec, {}, {}, license="mit"), "digits", "")
        {'license': 'mit', 'library_name': 'keras', 'tags': ['kexp', 'classification', 'image'],
         'pipeline_tag': 'image-classification'}
    """
    spec = manifest.spec
    tag = task_named(spec.task).pipeline_tag(spec)
    found: dict[str, Any] = {} if manifest.license is None else {"license": manifest.license}
    found |= {"library_name": "keras", "tags": ["kexp", spec.task, spec.kind]}
    if tag is not None:
        found["pipeline_tag"] = tag
    results = _results(manifest, tag or spec.task, data_name) if data_name else []
    if results:
        found["model-index"] = [{"name": title, "results": results}]
    return found


def _results(manifest: Manifest, task_type: str, data_name: str) -> list[dict[str, Any]]:
    """Return the model's own metrics, of each split that was measured."""
    recorded = finite_metrics(manifest.provenance)
    exact = task_named(manifest.spec.task).exact_names(manifest.spec)
    found = []
    for split, prefix in _SPLITS.items():
        metrics = [
            {"type": name.removeprefix(prefix), "value": value, "name": name}
            for name, value in recorded.items()
            if name.startswith(prefix) and _is_own(name.removeprefix(prefix), recorded, exact)
        ]
        if metrics:
            data = {"type": data_name, "name": data_name, "split": split}
            found.append({"task": {"type": task_type}, "dataset": data, "metrics": metrics})
    return found


def _is_own(name: str, recorded: Mapping[str, float], exact: Mapping[str, Any]) -> bool:
    """Return whether a metric is of the model, rather than of a baseline: "repeat_last_loss"."""
    if name in recorded or name in exact:
        return True
    return not any(name.endswith(f"_{trained}") for trained in recorded)


def finite_metrics(provenance: Mapping[str, Any]) -> dict[str, float]:
    """Return the recorded metrics that are finite numbers, which is all that a page's head can hold."""
    recorded = provenance.get("metrics")
    items = recorded.items() if isinstance(recorded, Mapping) else ()
    return {
        str(name): float(value)
        for name, value in items
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }

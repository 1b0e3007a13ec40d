"""The samples, no images, with the highest anomaly scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kexp.data import DatasetSpec, Split, class_names
from kexp.report.html import short, table, text_section
from kexp.report.reconstructed_samples import (
    are_images,
    is_reconstruction,
    reconstructions,
    shown_class_indices,
)
from kexp.report.reported import ReportedRun

ORDER = 130
_ROWS = 20
_COLUMNS = 8  # of the data


def applies(run: ReportedRun) -> bool:
    """True for an autoencoder of anything but images."""
    return is_reconstruction(run) and not are_images(run)


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    spec, split, labels = run.spec, run.split, shown_class_indices(run)
    scores = np.asarray(reconstructions(run).anomaly_scores)
    highest = np.argsort(-scores, kind="stable")[:_ROWS]
    names = [column.name for column in spec.columns[:_COLUMNS]] if isinstance(split.inputs, Mapping) else []
    rows = [
        [
            int(row) + 1,
            float(scores[row]),
            _target(split, labels, spec, row),
            *(_cell(split, name, row) for name in names),
        ]
        for row in highest
    ]
    fewer = len(names) < len(spec.columns)
    more = f", with the first {_COLUMNS} of {len(spec.columns)} columns" if fewer else ""
    which = f"{len(rows)} of {len(scores):,} {run.split_name} samples"
    text = f"The {which} that are least like what comes out{more}."
    content = table(["sample", "anomaly score", spec.target, *names], rows)
    return text_section("Highest anomaly scores", text, content)


def _target(split: Split, labels: np.ndarray | None, spec: DatasetSpec, row: int) -> object:
    if labels is not None:
        return class_names(spec)[labels[row]]
    target = np.ravel(split.targets[row])
    return float(target[0]) if target.size == 1 and target.dtype.kind == "f" else short(target.tolist())


def _cell(split: Split, name: str, row: int) -> object:
    value = split.inputs[name][row]
    return short(value) if isinstance(value, str) else float(value)

"""Samples with their targets beside the predictions for them, as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kexp.data import DatasetSpec, Split, class_names
from kexp.report.html import heading, short, table
from kexp.report.reported import ReportedRun
from kexp.tasks.predictions import Predictions

ORDER = 50
_COUNT = 40


def applies(run: ReportedRun) -> bool:
    """True for a run with data whose predictions fit into cells."""
    return run.data is not None and run.spec.task in ("classification", "regression", "text")


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    predictions = run.predictions(_COUNT)
    text = f"<p>The first {len(predictions)} of {len(run.split):,} {run.split_name} samples.</p>"
    columns = _columns(run.split, predictions, run.spec)
    rows = [list(row) for row in zip(*columns.values(), strict=False)]
    name = f"Samples of the {run.split_name} part"
    return f"<section>{heading(name)}{text}{table(list(columns), rows)}</section>"


def _columns(split: Split, predictions: Predictions, spec: DatasetSpec) -> dict[str, Sequence[object]]:
    columns: dict[str, Sequence[object]] = {}
    if isinstance(split.inputs, np.ndarray) and spec.kind == "text":
        columns["input"] = [short(text) for text in split.inputs[:_COUNT]]
    if predictions.labels is not None and predictions.probabilities is not None:
        names = class_names(spec)
        columns["expected"] = [names[index] for index in split.targets[:_COUNT]]
        columns["answer"] = list(predictions.labels)
        columns["its probability"] = [float(row.max()) for row in predictions.probabilities]
    elif predictions.values is not None:
        for index in range(predictions.values.shape[1]):
            number = f" {index}" if spec.outputs > 1 else ""
            columns[f"expected{number}"] = [float(value) for value in split.targets[:_COUNT, index]]
            columns[f"answer{number}"] = [float(value) for value in predictions.values[:, index]]
    elif predictions.texts is not None:
        columns["expected"] = [short(text) for text in split.targets[:_COUNT]]
        columns["answer"] = [short(text) for text in predictions.texts]
    if predictions.log_probabilities is not None:
        columns["log probability"] = [float(value) for value in predictions.log_probabilities]
    return columns

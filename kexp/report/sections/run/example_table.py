"""Samples with their targets beside the predictions for them, as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kexp.data.batch_feed import FedSplit
from kexp.report.html import heading, short, table
from kexp.report.reported import ReportedRun, first_samples

ORDER = 50
_COUNT = 40
_SHOWN_OTHERWISE = {"mask", "reconstruction"}


def applies(run: ReportedRun) -> bool:
    """True for a run with data whose predictions fit into cells, unless they are shown by their mistakes."""
    judged = run.classes is not None or run.values is not None
    return not judged and bool(run.prediction_names) and not run.prediction_names & _SHOWN_OTHERWISE


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    predictions, inputs = run.predictions(_COUNT), run.split.inputs
    # Of what comes in batches there is no more than a first one, and batches are what it counts.
    of = "" if isinstance(run.split, FedSplit) else f"of {len(run.split):,} "
    text = f"<p>The first {len(predictions)} {of}{run.split_name} samples.</p>"
    columns: dict[str, Sequence[object]] = {}
    if isinstance(inputs, np.ndarray) and run.spec.kind == "text":
        columns["input"] = list(inputs[:_COUNT])
    columns |= run.task.example_columns(
        first_samples(run.split.targets, _COUNT), predictions.named(), run.spec
    )
    rows = [list(map(_cell, row)) for row in zip(*columns.values(), strict=False)]
    name = f"Samples of the {run.split_name} part"
    return f"<section>{heading(name)}{text}{table(list(columns), rows)}</section>"


def _cell(value: object) -> object:
    return float(value) if isinstance(value, np.floating) else short(value)

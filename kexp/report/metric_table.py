"""The table of metrics, a column per split that they were measured on."""

from __future__ import annotations

from collections.abc import Mapping

from kexp.report.html import table
from kexp.report.reported import ReportedRun

_PREFIXES = {"training": "", "validation": "val_", "test": "test_"}


def metric_table(run: ReportedRun, first: str, rows: Mapping[str, str]) -> str:
    """Return HTML with a row per metric.

    Args:
        run: The run.
        first: Heading of the first column.
        rows: Metric, without its prefix, by what the first column calls it.
    """
    metrics = run.record.metrics
    splits = {
        split: prefix
        for split, prefix in _PREFIXES.items()
        if any(prefix + metric in metrics for metric in rows.values())
    }
    cells = [
        [name, *(metrics.get(prefix + metric, "") for prefix in splits.values())]
        for name, metric in rows.items()
    ]
    return table([first, *splits], cells)


def metric_stems(run: ReportedRun) -> list[str]:
    """Return the names of the metrics without their prefixes, each once."""
    return list(dict.fromkeys(name.removeprefix("val_").removeprefix("test_") for name in run.record.metrics))


def class_metrics(run: ReportedRun) -> dict[str, str]:
    """Return the metric of each class by the class's name; empty where classes have none of their own."""
    stems = metric_stems(run)
    return {name: metric for metric, name in run.task.class_metrics(run.spec).items() if metric in stems}

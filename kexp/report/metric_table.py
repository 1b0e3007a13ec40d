"""The table of metrics, a column per split that they were measured on."""

from __future__ import annotations

from collections.abc import Mapping

from kexp.core.html_tables import Noted
from kexp.metrics.intervals import Interval
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
    metrics, intervals = run.record.metrics, run.record.intervals
    splits = {
        split: prefix
        for split, prefix in _PREFIXES.items()
        if any(prefix + metric in metrics for metric in rows.values())
    }
    cells = [
        [name, *(_value(metrics, intervals, prefix + metric) for prefix in splits.values())]
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


def headline_metric(run: ReportedRun) -> str:
    """Return the name of the metric to be seen first: on test data where there are, and with an interval.

    Example:
        >>> import kexp
        >>> headline_metric(ReportedRun(kexp.load(run_dir), None))
        'test_accuracy'
    """
    names = list(run.record.metrics)
    parts = ([name for name in names if name.startswith(prefix)] for prefix in ("test_", "val_"))
    first = next(filter(None, parts), names)
    known = [name for name in first if name in run.record.intervals]
    telling = [name for name in first if not name.endswith("loss")]
    return (known or telling or first)[0]


def interval_text(interval: Interval) -> str:
    """Return an interval in words.

    Example:
        >>> interval_text((0.5, 0.75))
        '0.5 to 0.75'
    """
    low, high = interval
    return f"{low:.4g} to {high:.4g}"


def _value(metrics: Mapping[str, float], intervals: Mapping[str, Interval], name: str) -> object:
    if name not in metrics:
        return ""
    return Noted(metrics[name], interval_text(intervals[name])) if name in intervals else metrics[name]

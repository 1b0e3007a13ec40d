"""The metric of each class, such as its intersection over union or its average precision."""

from __future__ import annotations

from html import escape

from kexp.report.html import heading
from kexp.report.metric_table import class_metrics, metric_table
from kexp.report.reported import ReportedRun

ORDER = 30


def applies(run: ReportedRun) -> bool:
    """True for a run with metrics of single classes."""
    return bool(class_metrics(run))


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    title, text = run.task.class_metric
    return f"{heading(title)}<p>{escape(text)}</p>{metric_table(run, 'class', class_metrics(run))}"

"""The intersection over union of each class of a segmentation."""

from __future__ import annotations

from kexp.report.html import heading
from kexp.report.metric_table import class_metrics, metric_table
from kexp.report.reported import ReportedRun

ORDER = 30


def applies(run: ReportedRun) -> bool:
    """True for a run with metrics of single classes."""
    return bool(class_metrics(run))


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    text = (
        "<p>Pixels of a class that were found, over those that are its own or were taken for its own. "
        "A class that neither occurs nor is predicted has 0 here and is left out of mean_iou.</p>"
    )
    return (
        heading("Intersection over union of each class")
        + text
        + metric_table(run, "class", class_metrics(run))
    )

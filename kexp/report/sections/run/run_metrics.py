"""The metrics of a run, but for those of single classes: a row each, a column per split."""

from __future__ import annotations

from html import escape

from kexp.metrics.intervals import interval_notes
from kexp.report.html import heading
from kexp.report.metric_table import class_metrics, metric_stems, metric_table
from kexp.report.reported import ReportedRun

ORDER = 20


def applies(run: ReportedRun) -> bool:
    """True for every run."""
    return True


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    classes = class_metrics(run)
    rows = {name: name for name in metric_stems(run) if name not in classes.values()}
    notes = "".join(f"<p>{escape(note)}</p>" for note in interval_notes(run.record.metrics))
    return heading("Metrics") + metric_table(run, "metric", rows) + notes

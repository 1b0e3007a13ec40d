"""The classes of a classifier: samples, precision, recall and F1 of each."""

from __future__ import annotations

import numpy as np

from kexp.report.html import sortable_table, text_section
from kexp.report.judged_classes import JudgedClasses
from kexp.report.reported import ReportedRun

ORDER = 43
_MOST = 1000  # rows


def applies(run: ReportedRun) -> bool:
    """True for a classifier with its data."""
    return run.classes is not None


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    judged = run.classes
    assert judged is not None
    rows = _rows(judged)
    fewer = f" The {_MOST:,} with most samples of {len(rows):,} classes." if len(rows) > _MOST else ""
    if fewer:
        rows = sorted(rows, key=lambda row: -int(str(row[1])))[:_MOST]
    text = (
        "Precision is the share of samples taken for a class that are of it, recall the share of its samples "
        f"that are found, F1 their harmonic mean. Of {run.judged_name}.{fewer} A heading sorts by its column."
    )
    columns = ["class", "samples", "taken for it", "precision", "recall", "F1"]
    return text_section("Classes", text, sortable_table("Metrics of each class", columns, rows))


def _rows(judged: JudgedClasses) -> list[list[object]]:
    """Return a row per class; what is a share of nothing is left empty."""
    samples, taken, hits = judged.counts()
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = np.stack([hits / taken, hits / samples, 2 * hits / (samples + taken)], axis=1)
    return [
        [name, int(n), int(m), *("" if np.isnan(value) else round(float(value), 4) for value in shares)]
        for name, n, m, shares in zip(judged.names, samples, taken, columns, strict=True)
    ]

"""The confusion matrix of a classifier; of many classes those that are mistaken most."""

from __future__ import annotations

import numpy as np

from kexp.report.confusion_table import confusion_table, percent
from kexp.report.html import heading, sortable_table, text_section
from kexp.report.judged_classes import JudgedClasses
from kexp.report.reported import ReportedRun

ORDER = 42
_MOST = 30  # classes whose matrix can be read
_ROWS = 20  # in place of it


def applies(run: ReportedRun) -> bool:
    """True for a classifier with its data."""
    return run.classes is not None


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    judged = run.classes
    assert judged is not None
    wrong = int(judged.wrong.sum())
    text = f"Mistakes: {wrong:,} ({percent(wrong / len(judged.truth))}) of {run.judged_name}."
    if len(judged.names) <= _MOST:
        together = " Classes that are confused stand together." if len(judged.names) > 10 else ""
        shares = " Shares are those of the true class's samples."
        return text_section("Confusion matrix", text + shares + together, _matrix(judged, run.split_name))
    many = f" There are {len(judged.names):,} classes: here are those with most mistakes."
    if not wrong:
        return text_section("Confusion matrix", text, "")
    return text_section("Confusion matrix", text + many, _most_mistaken(judged) + _pairs(judged))


def _matrix(judged: JudgedClasses, part: str) -> str:
    return confusion_table(judged, f"Samples of the {part} part by truth (rows) and prediction (columns)")


def _most_mistaken(judged: JudgedClasses) -> str:
    samples, _, hits = judged.counts()
    missed = samples - hits
    often: dict[int, int] = {}
    for truth, prediction, _count in judged.confused_pairs():
        often.setdefault(truth, prediction)
    order = [int(index) for index in np.argsort(-missed, kind="stable")[:_ROWS] if missed[index]]
    rows = [
        [
            judged.names[index],
            int(samples[index]),
            int(missed[index]),
            round(100 * float(missed[index] / samples[index]), 1),
            judged.names[often[index]],
        ]
        for index in order
    ]
    columns = ["truth", "samples", "mistakes", "share in %", "most often taken for"]
    return sortable_table("Classes with most mistakes", columns, rows)


def _pairs(judged: JudgedClasses) -> str:
    samples, _, _ = judged.counts()
    pairs = judged.confused_pairs()
    rows = [
        [judged.names[truth], judged.names[prediction], count, round(100 * float(count / samples[truth]), 1)]
        for truth, prediction, count in pairs[:_ROWS]
    ]
    columns = ["truth", "prediction", "samples", "share in % of the truth"]
    which = f"Most confused pairs, {len(rows)} of {len(pairs):,}"
    return heading("Most confused pairs") + sortable_table(which, columns, rows)

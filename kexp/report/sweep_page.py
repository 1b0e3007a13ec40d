"""The page of a sweep, one self-contained HTML file: nothing is fetched, and all that it shows is escaped."""

from __future__ import annotations

import os
from pathlib import Path

from kexp.report.html import SORTING, document, writable, write
from kexp.report.importance import Importance, importance
from kexp.report.reported import ReportedSweep
from kexp.report.sections import render_sections
from kexp.report.sweep_record import SweepRecord


def sweep_page(record: SweepRecord, found: Importance | None = None, *, live: str = "") -> str:
    """Return the page of a sweep: its summary, its figures and all trials.

    Its figures are SVG and its script a screenful: it opens from a mail, without a network, by day and by
    night. Pointing at a trial marks it in every figure and in the table; the table sorts by any column.

    Args:
        record: The sweep; it may still be running.
        found: The importance, default None: computed here.
        live: As of `kexp.report.html.document`.

    Example:
        >>> from kexp.report import TrialRecord
        >>> trials = (TrialRecord(0, "completed", {}, 0.7), TrialRecord(1, "failed", {}, error="a < b"))
        >>> page = sweep_page(SweepRecord("<b>", "val_accuracy", "max", "random", trials))
        >>> "higher is better" in page, "a &lt; b" in page, "<b>" in page
        (True, True, False)
    """
    found = importance(record) if found is None else found
    script = f"\n{SORTING.read_text('utf-8')}{Path(__file__).with_name('trials.js').read_text('utf-8')}"
    sections = render_sections("sweep", ReportedSweep(record, found))
    return document(f"Sweep of {record.recipe}", sections, script=script, live=live)


def write_page(record: SweepRecord, path: str | os.PathLike[str], found: Importance | None = None) -> Path:
    """Write the page of a sweep to a file, and return its path.

    Args:
        record: The sweep.
        path: A file whose folder exists; an earlier page there is replaced.
        found: The importance, default None: computed here.

    Raises:
        InputError: The folder does not exist or the path is a folder.

    Example:
        >>> write_page(SweepRecord("net", "loss", "min", "random", ()), "no/such/folder/page.html")
        Traceback (most recent call last):
        ...
        kexp.InputError: path must be a file in a folder that exists; received 'no/such/folder/page.html'.
    """
    writable(path)
    return write(sweep_page(record, found), path)

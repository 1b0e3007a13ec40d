"""The table of all trials, which the page's script sorts."""

from __future__ import annotations

import math
from html import escape

from kexp.core.search import label
from kexp.report.html import duration, heading, size
from kexp.report.reported import ReportedSweep
from kexp.report.sweep_record import TrialRecord

ORDER = 90


def applies(sweep: ReportedSweep) -> bool:
    """True for every sweep."""
    return True


def html(sweep: ReportedSweep) -> str:
    """HTML of the section."""
    record = sweep.record
    names = [argument.name for argument in record.searched]
    columns = ["trial", "state", record.objective, *names, "time", "disk", "error"]
    head = "".join(f'<th scope="col"><button>{escape(name)}</button></th>' for name in columns)
    rows = "\n".join(_row(trial, names, trial is record.best) for trial in record.trials)
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    return f'<section>{heading("All trials")}<div class="table" tabindex="0">{table}</div></section>'


def _row(trial: TrialRecord, names: list[str], best: bool) -> str:
    cells = [
        _cell(trial.number),
        _cell(trial.state + (", best" if best else ""), kind="best" if best else trial.state),
        _cell(trial.score),
        *(_cell(trial.arguments.get(name, "")) for name in names),
        _cell(trial.seconds, duration(trial.seconds)),
        _cell(trial.bytes, size(trial.bytes)),
        _error_cell(trial.error),
    ]
    return f'<tr data-trial="{trial.number}">{"".join(cells)}</tr>'


def _cell(value: object, text: str | None = None, kind: str = "") -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    lacking = value is None or (isinstance(value, float) and math.isnan(value))
    key = "" if lacking else repr(value) if number else label(value)
    shown = ("" if lacking else label(value)) if text is None else text
    kind = "number" if number else kind or "text"
    return f'<td class="{escape(kind)}" data-key="{escape(key)}">{escape(shown)}</td>'


def _error_cell(error: str | None) -> str:
    """Return the last line of an error, with all of it to unfold where there is more."""
    lines = (error or "").strip().splitlines()
    last = escape(lines[-1] if lines else "")
    if len(lines) < 2:
        return f'<td class="error" data-key="{last}">{last}</td>'
    whole = f"<details><summary>{last}</summary><pre>{escape(chr(10).join(lines))}</pre></details>"
    return f'<td class="error" data-key="{last}">{whole}</td>'

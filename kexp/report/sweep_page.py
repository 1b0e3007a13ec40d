"""One self-contained HTML page about a sweep: nothing is fetched, and all that it shows is escaped."""

from __future__ import annotations

import math
import os
from html import escape
from pathlib import Path
from typing import Any

from kexp.report import html
from kexp.report.drawing import LEVELS, style
from kexp.report.importance import Importance, importance
from kexp.report.sweep_plots import (
    draw_cost,
    draw_importance,
    draw_learning_curves,
    draw_parallel,
    draw_progress,
    draw_slices,
)
from kexp.report.sweep_record import State, SweepRecord, TrialRecord, label

_STATES: tuple[State, ...] = ("completed", "pruned", "failed", "running", "waiting")


def sweep_page(record: SweepRecord, found: Importance | None = None) -> str:
    """Return a page with the summary, the figures and all trials of a sweep.

    Its figures are SVG and its script a screenful: it opens from a mail, without a network, by day and by
    night. Pointing at a trial marks it in every figure and in the table; the table sorts by any column.

    Args:
        record: The sweep; it may still be running.
        found: The importance, default None: computed here.

    Example:
        >>> trials = (TrialRecord(0, "completed", {}, 0.7), TrialRecord(1, "failed", {}, error="a < b"))
        >>> page = sweep_page(SweepRecord("<b>", "val_accuracy", "max", "random", trials))
        >>> "higher is better" in page, "a &lt; b" in page, "<b>" in page
        (True, True, False)
    """
    found = importance(record) if found is None else found
    script = f"\n{Path(__file__).with_name('page.js').read_text('utf-8')}"
    parts = [_summary(record), *_sections(record, found), _table(record)]
    return html.document(f"Sweep of {record.recipe}", parts, script=script)


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
        kexp.InputError: path must be a file in a folder that exists; received
        no/such/folder/page.html.
    """
    html.writable(path)
    return html.write(sweep_page(record, found), path)


def _summary(record: SweepRecord) -> str:
    counts = [f"{record.count(state)} {state}" for state in _STATES if record.count(state)]
    spent = sum(trial.seconds for trial in record.trials)
    wasted = sum(trial.seconds for trial in record.trials if trial.state in ("failed", "pruned"))
    facts = {
        "objective": f"{record.objective} ({record.better})",
        "algorithm": record.algorithm + ("" if record.seed is None else f", seed {record.seed}"),
        "asked for": record.budget,
        "trials": f"{len(record.trials)}: {', '.join(counts)}" if counts else "none yet",
        "best": _best(record),
        "time": f"{html.duration(spent)} in trials, {html.duration(wasted)} of it in failed or pruned ones"
        + ("" if record.seconds is None else f"; {html.duration(record.seconds)} by the clock"),
        "disk": html.size(sum(trial.bytes for trial in record.trials)),
        "fixed": _listed(record.fixed),
    }
    return html.definitions(facts)


def _best(record: SweepRecord) -> str:
    if record.best is None:
        return "no trial has completed"
    return f"{label(record.best.score)} in trial {record.best.number}: {_listed(record.best.arguments)}"


def _sections(record: SweepRecord, found: Importance) -> list[str]:
    order = list(found.total) or [argument.name for argument in record.searched]
    boxes = "".join(f'<span style="background:var(--level-{level})"></span>' for level in range(LEVELS))
    colours = f'<p class="scale">Colour is the rank of a trial: worst {boxes} best.</p>'
    with style():
        sections = [
            html.section("Progress", draw_progress(record), colours),
            html.section(
                "Learning curves", draw_learning_curves(record), "<p>Far-out values lie on the edge.</p>"
            ),
        ]
        if record.searched and record.best is not None:
            text = "Only completed trials. A line is a trial; it ends at its score."
            sections += [html.section("Arguments together", draw_parallel(record), f"<p>{text}</p>")]
            sections += [html.section("Arguments one by one", draw_slices(record, order))]
        sections += [_importance_section(found), html.section("Time and disk", draw_cost(record))]
    if record.retraining:
        sections.append(
            html.heading("Retrained over fresh seeds") + f"<pre>{escape(record.retraining)}</pre>"
        )
    return sections


def _importance_section(found: Importance) -> str:
    name = "Importance of the arguments"
    if found.reason:
        return html.heading(name) + f"<p>Not known: {escape(found.reason)}</p>"
    text = (
        f"Of the differences between the trials, the arguments explain {found.explained:.0%} "
        "(R² for trials held out); of that each has this share over the whole search space, by functional "
        "ANOVA of random forests."
    )
    return html.section(name, draw_importance(found), f"<p>{text}</p>")


def _table(record: SweepRecord) -> str:
    names = [argument.name for argument in record.searched]
    columns = ["trial", "state", record.objective, *names, "time", "disk", "error"]
    head = "".join(f'<th scope="col"><button>{escape(name)}</button></th>' for name in columns)
    rows = "\n".join(_row(trial, names, trial is record.best) for trial in record.trials)
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    return f'<section>{html.heading("All trials")}<div class="table" tabindex="0">{table}</div></section>'


def _row(trial: TrialRecord, names: list[str], best: bool) -> str:
    cells = [
        _cell(trial.number),
        _cell(trial.state + (", best" if best else ""), kind="best" if best else trial.state),
        _cell(trial.score),
        *(_cell(trial.arguments.get(name, "")) for name in names),
        _cell(trial.seconds, html.duration(trial.seconds)),
        _cell(trial.bytes, html.size(trial.bytes)),
        _error_cell(trial.error),
    ]
    return f'<tr data-trial="{trial.number}">{"".join(cells)}</tr>'


def _cell(value: Any, text: str | None = None, kind: str = "") -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    lacking = value is None or (number and math.isnan(value))
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


def _listed(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name} {label(value)}" for name, value in arguments.items())

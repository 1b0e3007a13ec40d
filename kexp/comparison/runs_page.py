"""The page of a folder of runs: a table that sorts by any column, and stands as cards where it is narrow."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from kexp.comparison.run_row import RunRow
from kexp.report.html import SORTING, document, duration, short, writable, write

if TYPE_CHECKING:
    from kexp.comparison.run_listing import RunList

COLUMNS = (
    "run",
    "state",
    "recipe",
    "data",
    "begun",
    "seed",
    "metric",
    "value",
    "epochs",
    "parameters",
    "time",
)
_PAGE = "report.html"
_STYLES = {"damaged": "failed", "interrupted": "pruned"}


def cells(row: RunRow) -> tuple[str, ...]:
    """Return what a row shows in the order of `COLUMNS`.

    Example:
        >>> cells(RunRow(Path("runs/a"), "a", "interrupted", "mlp_images", "digits", seed=0, epochs=3))[:4]
        ('a', 'interrupted', 'mlp_images', 'digits')
    """
    return (
        row.name,
        row.state,
        row.recipe,
        row.data,
        row.date,
        "" if row.seed is None else str(row.seed),
        row.metric,
        "" if math.isnan(row.value) else f"{row.value:.4f}",
        str(row.epochs),
        "" if row.parameters is None else f"{row.parameters:,}",
        "" if row.seconds is None else duration(row.seconds),
    )


def runs_page(listed: RunList, path: Path | None = None) -> str:
    """Return the page of a list of runs.

    Args:
        listed: The runs.
        path: Where the page is going to be, for links to the pages of runs; default None: no links.
    """
    states = {
        state: sum(row.state == state for row in listed) for state in dict.fromkeys(r.state for r in listed)
    }
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    text = f"<p>{escape(str(listed))}{escape(f': {counts}.' if counts else '.')}</p>"
    script = f"\n{SORTING.read_text('utf-8')}"
    return document("Runs", [text, _table(listed.rows, path)] if listed.rows else [text], script=script)


def write_runs_page(listed: RunList, path: str | os.PathLike[str]) -> Path:
    """Write the page of a list of runs, and return its path.

    Raises:
        InputError: The folder does not exist, or the path is a folder.
    """
    target = writable(path)
    return write(runs_page(listed, target), target)


def _table(rows: Sequence[RunRow], path: Path | None) -> str:
    head = "".join(f'<th scope="col"><button type="button">{name}</button></th>' for name in COLUMNS)
    body = "\n".join(_row(row, path) for row in rows)
    return (
        '<section><div class="table" tabindex="0" role="region" aria-label="Runs"><table class="stacked">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div></section>"
    )


def _row(row: RunRow, path: Path | None) -> str:
    keys = {
        "seed": row.seed,
        "value": None if math.isnan(row.value) else row.value,
        "epochs": row.epochs,
        "parameters": row.parameters,
        "time": row.seconds,
        "begun": row.begun_s,
    }
    shown = []
    for name, text in zip(COLUMNS, cells(row), strict=True):
        key = keys.get(name, text) if name in keys else text
        kind = "number" if name in keys and name != "begun" else "text"
        content = _link(row, path) if name == "run" else escape(short(text, 80))
        if name == "state":
            content = f'<span class="{_STYLES.get(row.state, "")}">{content}</span>{_problem(row)}'
        shown.append(
            f'<td class="{kind}" data-name="{name}" data-key="{escape("" if key is None else str(key))}">'
            f"<span>{content}</span></td>"
        )
    return f"<tr>{''.join(shown)}</tr>"


def _problem(row: RunRow) -> str:
    return f"<br>{escape(short(row.problem))}" if row.problem else ""


def _link(row: RunRow, path: Path | None) -> str:
    """Return the name of a run, which leads to its page where there is one."""
    name = f"<bdi>{escape(short(row.name, 80))}</bdi>"
    page = row.run_dir / _PAGE
    if path is None or not page.is_file():
        return name
    address = Path(os.path.relpath(page.resolve(), path.resolve().parent)).as_posix()
    return f'<a href="{escape(quote(address))}">{name}</a>'

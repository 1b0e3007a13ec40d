"""The page of a folder of runs: a table that sorts by any column, and stands as cards where it is narrow."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from kexp.comparison.run_row import RunRow
from kexp.report.html import SORTING, document, duration, short, writable, write

COLUMNS = (
    *("run", "state", "recipe", "data", "begun", "seed", "metric", "value", "epochs", "parameters"),
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


def runs_page(rows: Sequence[RunRow], text: str, path: Path | None = None) -> str:
    """Return the page of some runs.

    Args:
        rows: The runs, in their order.
        text: What they are, not escaped yet.
        path: Where the page is going to be, for links to the pages of runs; default None: no links.

    Example:
        >>> page = runs_page([RunRow(Path("a"), "<b>", "damaged", problem="1 < 2")], "of <i>")
        >>> "&lt;b&gt;" in page, "1 &lt; 2" in page, "of &lt;i&gt;: 1 damaged." in page
        (True, True, True)
    """
    states = Counter(row.state for row in rows)
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    said = f"<p>{escape(text)}{f': {counts}' if counts else ''}.</p>"
    script = f"\n{SORTING.read_text('utf-8')}"
    return document("Runs", [said, *([_table(rows, path)] if rows else [])], script=script)


def write_runs_page(rows: Sequence[RunRow], text: str, path: str | os.PathLike[str]) -> Path:
    """Write the page of some runs, and return its path.

    Raises:
        InputError: The folder does not exist, or the path is a folder.
    """
    target = writable(path)
    return write(runs_page(rows, text, target), target)


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

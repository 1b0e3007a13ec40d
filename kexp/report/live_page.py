"""The page of a run that may still be under way, made of what its folder has by now."""

from __future__ import annotations

from kexp.data.memory_forms import argument_label
from kexp.report.drawing import style
from kexp.report.html import definitions, document, folded, heading, short, table, text_section
from kexp.report.panel_plots import Panel, panels
from kexp.report.run_status import RunStatus
from kexp.run.learning_curves import draw_panels

_MOST_ROWS = 500  # epochs of the table, the last ones


def live_page(status: RunStatus, *, live: str = "") -> str:
    """Return the page of a run as it stands: where it is, its curves and its metrics so far.

    Args:
        status: The run; it may have no epoch yet.
        live: As of `kexp.report.html.document`.

    Example:
        >>> from pathlib import Path
        >>> page = live_page(RunStatus(Path("<b>"), "net", {"epochs": 3}, ({"epoch": 1, "loss": 0.5},)))
        >>> "not finished: 1 of 3 epochs" in page, "&lt;b&gt;" in page, "<b>" in page
        (True, True, False)
    """
    title = f"Run of {status.recipe}" if status.recipe else "Run"
    parts = [definitions({"state": status.state, "folder": str(status.run_dir)})]
    if status.metrics is not None:
        rows = [[name, value] for name, value in status.metrics.items()]
        parts.append(heading("Metrics at the end") + table(["metric", "value"], rows))
    if status.epochs:
        parts += [_curves(status), _epochs(status)]
    if status.arguments:
        shown = {name: short(argument_label(value)) for name, value in status.arguments.items()}
        parts.append(folded(f"{len(shown)} arguments", definitions(shown)))
    return document(title, parts, live=live)


def _curves(status: RunStatus) -> str:
    with style():
        figures = draw_panels(status.history)
        shown = [Panel(figure, f"{title} by epoch") for title, figure in figures.items()]
        return text_section("Learning curves", "", panels(shown))


def _epochs(status: RunStatus) -> str:
    names = ["epoch", *status.history]
    rows = [[epoch.get(name, "") for name in names] for epoch in reversed(status.epochs[-_MOST_ROWS:])]
    return heading("Epochs, the last one first") + table(names, rows)

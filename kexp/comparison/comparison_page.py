"""The page of runs beside one another: figures, curves over one another, tests, and mistakes of one alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Protocol

import numpy as np

from kexp.comparison.paired_test import PairedTest
from kexp.comparison.run_groups import RunGroup
from kexp.report.drawing import style
from kexp.report.html import document, table, text_section, writable, write
from kexp.report.panel_plots import Panel, new_axes, panel_of, panels
from kexp.report.reported import ReportedRun
from kexp.report.shown_samples import how_shown, shown_samples

_PANELS = 8
_MISTAKES = 12
_LEGEND = 10  # groups; the names of more would hide the curves
_TICKS = 5


class Compared(Protocol):
    """What the page shows; see `kexp.comparison.run_comparison.RunComparison`."""

    @property
    def groups(self) -> tuple[RunGroup, ...]:
        """The groups of runs."""
        ...

    @property
    def arguments(self) -> dict[str, list[str]]:
        """Arguments that differ."""
        ...

    @property
    def paired(self) -> tuple[PairedTest, ...]:
        """Tests."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Why some are missing."""
        ...

    @property
    def reported(self) -> dict[Path, ReportedRun]:
        """Runs with their data."""
        ...

    def figure_rows(self) -> list[list[str]]:
        """Return a row for each metric."""
        ...


def comparison_page(compared: Compared) -> str:
    """Return the page of runs beside one another, one self-contained HTML file.

    Args:
        compared: The runs.
    """
    labels = [group.label for group in compared.groups]
    listed = "".join(f"<p>{escape(str(group))}</p>" for group in compared.groups)
    figures = table(["metric", *labels], compared.figure_rows())
    notes = sorted({group.note for group in compared.groups} - {""})
    said = " ".join(["With 95% intervals over the seeds of a group, where it has several.", *notes])
    parts = [listed, text_section("Metrics", said, figures)]
    if compared.arguments:
        rows = [[name, *values] for name, values in compared.arguments.items()]
        parts.append(text_section("Arguments that differ", "", table(["argument", *labels], rows)))
    parts.append(_curves(compared.groups))
    if compared.paired or compared.notes:
        lines = "".join(f"<p>{escape(str(one))}</p>" for one in (*compared.paired, *compared.notes))
        parts.append(text_section("The same validation rows", "", lines))
    parts += [_mistakes(test, compared) for test in compared.paired if test.figure == "accuracy"]
    return document("Runs compared", parts, pictures=True)


def write_comparison_page(compared: Compared, path: str | os.PathLike[str]) -> Path:
    """Write the page of runs beside one another, and return its path.

    Raises:
        InputError: The folder does not exist, or the path is a folder.
    """
    target = writable(path)
    return write(comparison_page(compared), target)


def _curves(groups: Sequence[RunGroup]) -> str:
    """Return the curves of all runs, those of a group in one colour."""
    histories = [record.history for group in groups for record in group.records]
    names = dict.fromkeys(name for history in histories for name in history)
    chosen = [name for name in names if name.startswith("val_") or f"val_{name}" not in names][:_PANELS]
    with style():
        shown = [_panel(name, groups) for name in chosen]
        return text_section("Curves", "", panels(shown))


def _panel(name: str, groups: Sequence[RunGroup]) -> Panel:
    from matplotlib.ticker import MaxNLocator

    axes = new_axes(name.replace("_", " "), "epoch", "")
    for number, group in enumerate(groups):
        for place, record in enumerate(group.records):
            values = record.history.get(name, [])
            label = group.label if place == 0 else None
            axes.plot(range(1, len(values) + 1), values, color=f"C{number % 10}", label=label, linewidth=1.2)
    axes.xaxis.set_major_locator(MaxNLocator(_TICKS, integer=True))
    if len(groups) <= _LEGEND:
        axes.legend()
    return panel_of(axes, f"{name} by epoch, a line for each run")


def _mistakes(test: PairedTest, compared: Compared) -> str:
    """Return the samples that one of two runs alone gets wrong, the surest mistakes first."""
    pair = {group.label: group for group in compared.groups}
    runs = []
    for label in (test.first, test.other):
        record = pair[label].of_seed(test.seed)
        assert record is not None
        runs.append(compared.reported[record.run_dir])
    sides: Mapping[str, tuple[ReportedRun, ReportedRun, np.ndarray]] = {
        f"Only {test.first} is wrong": (runs[0], runs[1], test.only_first),
        f"Only {test.other} is wrong": (runs[1], runs[0], test.only_other),
    }
    content = "".join(_side(name, *side) for name, side in sides.items())
    text = f"{test.first} and {test.other}, on {test.rows}.{how_shown(runs[0])}"
    return text_section("Mistakes that only one makes", text, content)


def _side(name: str, wrong: ReportedRun, right: ReportedRun, places: np.ndarray) -> str:
    if not len(places):
        return f"<h3>{escape(name)}</h3><p>There are none.</p>"
    judged, other = wrong.classes, right.classes
    assert judged is not None
    assert other is not None
    chosen = places[np.argsort(-judged.confidence[places], kind="stable")][:_MISTAKES]
    facts = [
        {
            "truth": judged.names[judged.truth[place]],
            "prediction": judged.names[judged.predicted[place]],
            "probability": float(judged.confidence[place]),
            "of the other": float(other.confidence[place]),
        }
        for place in chosen
    ]
    counted = f"<p>{len(places)} samples, of which {len(chosen)} are shown.</p>"
    return f"<h3>{escape(name)}</h3>{counted}{shown_samples(wrong, chosen.tolist(), facts)}"

"""The learning curves of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from kexp.core.name_lists import listed
from kexp.report.drawing import style
from kexp.report.html import text_section
from kexp.report.panel_plots import Panel, panels
from kexp.report.reported import ReportedRun
from kexp.run.learning_curves import Curve, curves_by_panel, draw_panels
from kexp.run.pace_lines import GRADIENT_NORM, pace_curves
from kexp.run.record import RunRecord
from kexp.run.run_files import PACE, require_unchanged

ORDER = 40
_IN_WORDS = 3  # curves of a panel


def applies(run: ReportedRun) -> bool:
    """True for every run."""
    return True


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    record = run.record
    require_unchanged(run.folder / PACE, record.files)
    history = {**record.history, **pace_curves(run.folder, record.epochs)}
    curves = curves_by_panel(history)
    with style():
        figures = draw_panels(history, record.best_epoch, record.phases)
        shown = [Panel(figure, _in_words(title, curves[title])) for title, figure in figures.items()]
        return text_section("Learning curves", _marks(record) + _norm(history), panels(shown))


def _in_words(title: str, curves: Sequence[Curve]) -> str:
    said = listed(list(filter(None, map(_course, curves))), _IN_WORDS, "; ")
    return f"{title} by epoch: {said}."


def _course(curve: Curve) -> str:
    known = [value for value in curve.values if math.isfinite(value)]
    return f"{curve.label} from {_number(known[0])} to {_number(known[-1])}" if known else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _norm(history: Iterable[str]) -> str:
    said = "The gradient norm is the global norm before clipping, averaged over the steps of an epoch."
    return said if any(name.startswith(GRADIENT_NORM) for name in history) else ""


def _marks(record: RunRecord) -> str:
    chosen, later = record.best_epoch, record.phases[1:]
    ring = f"A ring marks epoch {chosen}, whose weights were chosen. " if chosen else ""
    epochs = ", ".join(map(str, later))
    begin = "phase 2 begins, with epoch" if len(later) == 1 else "the next phases begin, with epochs"
    return ring + (f"A dashed line marks where {begin} {epochs}. " if later else "")

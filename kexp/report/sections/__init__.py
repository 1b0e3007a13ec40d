"""Sections of pages: a folder per page, a file per section, found by scanning.

A section has an `ORDER`, from the top of the page to its end, `applies(subject)`, and `html(subject)`. The
subject of `run/` is a `kexp.report.reported.ReportedRun`, that of `sweep/` a `ReportedSweep`, that of
`folds/` a `kexp.report.folds_record.FoldsRecord`, that of `backtest/` a
`kexp.report.backtest_record.BacktestRecord`, and that of `explanation/` a
`kexp.evaluation.explain.network_findings.Findings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kexp.core.scan import modules_of
from kexp.report.backtest_record import BacktestRecord
from kexp.report.folds_record import FoldsRecord
from kexp.report.reported import ReportedRun, ReportedSweep

if TYPE_CHECKING:
    from kexp.evaluation.explain.network_findings import Findings


def render_sections(
    page: Literal["run", "sweep", "folds", "backtest", "explanation"],
    subject: ReportedRun | ReportedSweep | FoldsRecord | BacktestRecord | Findings,
) -> list[str]:
    """Return the HTML of all sections of a page that apply to its subject, in their order."""
    modules = sorted(modules_of(f"{__name__}.{page}"), key=lambda module: module.ORDER)
    return [module.html(subject) for module in modules if module.applies(subject)]

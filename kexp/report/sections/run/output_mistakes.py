"""Where each of several outputs errs: the mistakes of those that are classes, the residuals of numbers."""

from __future__ import annotations

from html import escape

from kexp.report.html import name_of, nested
from kexp.report.reported import ReportedOutput, ReportedRun
from kexp.report.sections.run import confusion_matrix, largest_residuals, mistakes

ORDER = 42
_MOST = 8  # outputs, each of which may have dozens of pictures
_SECTIONS = (confusion_matrix, mistakes, largest_residuals)


def applies(run: ReportedRun) -> bool:
    """True for a model with an output of classes or numbers among several, with its data."""
    return bool(_judged(run))


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    found = _judged(run)
    fewer = len(found) - _MOST
    more = f"<p>{fewer:,} more outputs of {len(found):,} are not shown.</p>" if fewer > 0 else ""
    return "".join(map(_of_output, found[:_MOST])) + more


def _of_output(output: ReportedOutput) -> str:
    parts = [section.html(output) for section in _SECTIONS if section.applies(output)]
    said = f"<p>{escape(output.task.name.capitalize())}.</p>"
    return f"<section><h2>Output {name_of(output.name)}</h2>{said}{nested(''.join(parts))}</section>"


def _judged(run: ReportedRun) -> list[ReportedOutput]:
    return [output for output in run.outputs if output.classes is not None or output.values is not None]

"""The samples that a regression is furthest off."""

from __future__ import annotations

import numpy as np

from kexp.report.html import text_section
from kexp.report.judged_values import JudgedValues
from kexp.report.reported import ReportedRun
from kexp.report.shown_samples import how_shown, shown_samples

ORDER = 44
_COUNT = 20
_TARGETS = 4


def applies(run: ReportedRun) -> bool:
    """True for a regression with its data."""
    return run.values is not None


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    judged = run.values
    assert judged is not None
    places = np.argsort(-judged.sizes(), kind="stable")[:_COUNT]
    count = len(judged.names)
    by = "" if count == 1 else ", in standard deviations of the target that it is largest for"
    fewer = f" Of {count:,} targets the first {_TARGETS} are listed." if count > _TARGETS else ""
    text = (
        f"The {len(places)} largest residuals, truth less prediction{by}, of {run.judged_name}."
        f"{fewer}{how_shown(run)}"
    )
    content = shown_samples(run, places.tolist(), [_facts(judged, int(place)) for place in places])
    return text_section("Largest residuals", text, content)


def _facts(judged: JudgedValues, place: int) -> dict[str, object]:
    facts: dict[str, object] = {}
    for target, name in enumerate(judged.names[:_TARGETS]):
        of = "" if len(judged.names) == 1 else f" {name}"
        facts[f"truth{of}"] = float(judged.truth[place, target])
        facts[f"prediction{of}"] = float(judged.predicted[place, target])
        facts[f"residual{of}"] = float(judged.residuals[place, target])
    return facts

"""Forecasts with their intervals against what came, and how often the truth is below each quantile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kexp.data.forecast_form import ForecastForm
from kexp.data.splits import taken
from kexp.report.drawing import COLOUR, style
from kexp.report.html import text_section
from kexp.report.panel_plots import Panel, new_axes, panel_of, panels
from kexp.report.reported import ReportedRun

ORDER = 42
_WINDOWS = 6  # that are drawn
_OF_SEVERAL = 3  # of each of several targets


def applies(run: ReportedRun) -> bool:
    """True for forecasts whose data are at hand."""
    return run.spec.forecast_form is not None and run.values is not None


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    form = run.spec.forecast_form
    assert form is not None
    predicted = run.record.predictions_of(run.judged.inputs)
    quantiles, truth = np.asarray(predicted.quantiles), np.asarray(run.judged.targets)
    low, high = form.quantiles[0], form.quantiles[-1]
    text = (
        f"Of {run.judged_name}. The bands are between the quantiles {low:g} and {high:g}, which should hold "
        f"{100 * (high - low):.0f} % of the truth, and of the inner ones."
    )
    with style():
        shown = []
        for number, target in enumerate(form.targets):
            steps = form.steps_of(number)
            shown += [_window(run, form, int(place), number) for place in _places(run, len(form.targets))]
            if len(form.quantiles) > 1:
                of_target = f" of {target}" if form.others else ""
                shown.append(_coverage(form, truth[:, steps], quantiles[:, steps], of_target))
        return text_section("Forecasts with intervals", text, panels(shown))


def _places(run: ReportedRun, targets: int) -> np.ndarray:
    """Return windows of all series, and of all times that the samples are of."""
    count = len(run.judged)
    most = _WINDOWS if targets == 1 else _OF_SEVERAL
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))


def _window(run: ReportedRun, form: ForecastForm, place: int, number: int) -> Panel:
    """Return the panel of a window and one of the targets."""
    sample = taken(run.judged, np.array([place]))
    inputs: Any = sample.inputs
    assert isinstance(inputs, Mapping)
    steps, history = form.steps_of(number), inputs["target"][0, -3 * form.horizon :]
    quantiles = np.asarray(run.record.predictions_of(inputs).quantiles)[0, steps]  # (horizon, levels)
    truth, before = np.asarray(sample.targets)[0, steps], history[:, number] if form.others else history
    name = f" of {inputs['series'][0]}" if form.series else ""
    start = str(inputs["time"][0].astype("datetime64[s]")).replace("T", " ") if form.periods else ""
    axes = new_axes(
        f"Sample {place:,}{name}", "steps from the beginning of the forecast", form.targets[number]
    )
    axes.plot(np.arange(-len(before), 0) + 1, before, color=COLOUR["ink"], linewidth=1)
    ahead = np.arange(1, form.horizon + 1)
    beside = form.middle // 2
    for first, strength in {0: 0.3, beside: 0.35}.items():
        ends = quantiles[:, first], quantiles[:, -1 - first]
        axes.fill_between(ahead, *ends, color=COLOUR["level-3"], alpha=strength, linewidth=0)
    axes.plot([0, *ahead], [before[-1], *truth], color=COLOUR["ink"], linewidth=1, label="truth")
    axes.plot(
        ahead, quantiles[:, form.middle], color=COLOUR["best"], linewidth=1.2, linestyle="--", label="median"
    )
    axes.legend(fontsize="small")
    off = float(np.abs(truth - quantiles[:, form.middle]).mean())
    inside = 100 * float(np.mean((truth >= quantiles[:, 0]) & (truth <= quantiles[:, -1])))
    since = f", from {start} on" if start else ""
    return panel_of(
        axes,
        f"Truth and forecast{name}{since}; mean error {off:.4g}, {inside:.0f} % of the truth in the band.",
    )


def _coverage(form: ForecastForm, truth: np.ndarray, quantiles: np.ndarray, of_target: str) -> Panel:
    """Return how often the truth is below each quantile, beside how often it should be."""
    shares = [float((truth < quantiles[..., place]).mean()) for place in range(len(form.quantiles))]
    axes = new_axes(f"Quantiles{of_target}", "level", "share of the truth below")
    axes.plot([0, 1], [0, 1], color=COLOUR["ink"], linewidth=0.8, linestyle=":")
    axes.plot(form.quantiles, shares, color=COLOUR["best"], marker="o", markersize=4)
    worst = max(range(len(shares)), key=lambda place: abs(shares[place] - form.quantiles[place]))
    return panel_of(
        axes,
        f"The share of the truth{of_target} below each quantile; the farthest off is that of "
        f"{form.quantiles[worst]:g}, below which {100 * shares[worst]:.0f} % are.",
    )

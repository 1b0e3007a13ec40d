"""Forecasts against what came: lines over the steps, with the band that residuals have filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kexp.data.dataset import single_array
from kexp.data.series import goes_on
from kexp.report.drawing import COLOUR, style
from kexp.report.html import text_section
from kexp.report.judged_values import JudgedValues
from kexp.report.panel_plots import Panel, new_axes, panel_of, panels
from kexp.report.reported import ReportedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDER = 42
_LEVEL = 0.9  # of residuals within the band
_STEPS = 120  # of a line
_WINDOWS = 4  # that are drawn, where a forecast has several steps


def applies(run: ReportedRun) -> bool:
    """True for a regression whose samples are windows of a series that follow on one another."""
    if run.values is None or run.spec.kind != "series":
        return False
    return goes_on(single_array(run.judged.inputs), run.values.truth)


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    judged = run.values
    assert judged is not None
    text = (
        f"Of {run.judged_name}. The band holds {_LEVEL * 100:.0f} % of the residuals of these samples, so "
        "that it may be too narrow for others."
    )
    with style():
        shown = [_one_step(judged)] if judged.truth.shape[1] == 1 else _several_steps(run, judged)
        return text_section("Forecasts", text, panels(shown))


def band(judged: JudgedValues) -> tuple[np.ndarray, np.ndarray]:
    """Return what is to be added to the forecasts of each step for the ends of the band, (steps,) each.

    Example:
        >>> truth = np.arange(101.0)[:, None]
        >>> [ends.round(2).tolist() for ends in band(JudgedValues(("y",), truth, np.zeros((101, 1))))]
        [[5.0], [95.0]]
    """
    rest = (1 - _LEVEL) / 2
    low, high = np.quantile(judged.residuals, [rest, 1 - rest], axis=0)
    return low, high


def _one_step(judged: JudgedValues) -> Panel:
    truth, predicted = judged.truth[-_STEPS:, 0], judged.predicted[-_STEPS:, 0]
    axes = new_axes("One step ahead", "sample, in time", judged.names[0])
    (low,), (high,) = band(judged)
    steps = np.arange(len(truth))
    _draw(axes, steps, truth, predicted, predicted + low, predicted + high)
    inside = 100 * np.mean((truth >= predicted + low) & (truth <= predicted + high))
    text = (
        f"Truth and forecast of the last {len(truth):,} samples; {inside:.0f} % of the truth is in the band."
    )
    return panel_of(axes, text)


def _several_steps(run: ReportedRun, judged: JudgedValues) -> list[Panel]:
    inputs, (low, high) = single_array(run.judged.inputs), band(judged)
    horizon = judged.truth.shape[1]
    shown = []
    for place in np.linspace(0, len(inputs) - 1, min(_WINDOWS, len(inputs))).astype(int):
        before = inputs[place, -2 * horizon :, 0]
        axes = new_axes(f"Sample {place:,}", "steps from the forecast's beginning", run.spec.target)
        axes.plot(np.arange(-len(before), 0) + 1, before, color=COLOUR["ink"], linewidth=1)
        predicted = judged.predicted[place]
        ahead = np.arange(1, horizon + 1)
        _draw(axes, ahead, judged.truth[place], predicted, predicted + low, predicted + high)
        off = float(np.sqrt(np.mean(judged.residuals[place] ** 2)))
        shown.append(
            panel_of(axes, f"What came before sample {place:,}, truth and forecast; RMSE {off:.4g}.")
        )
    return shown


def _draw(
    axes: Axes, steps: np.ndarray, truth: np.ndarray, predicted: np.ndarray, low: np.ndarray, high: np.ndarray
) -> None:
    axes.fill_between(steps, low, high, color=COLOUR["level-3"], alpha=0.35, linewidth=0)
    axes.plot(steps, truth, color=COLOUR["ink"], linewidth=1, label="truth")
    axes.plot(steps, predicted, color=COLOUR["best"], linewidth=1.2, linestyle="--", label="forecast")
    axes.legend(fontsize="small")

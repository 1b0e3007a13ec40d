"""Pictures of forecasts with their intervals at several cuts, beside the best classical forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kexp.report.backtest_record import BacktestRecord
from kexp.report.drawing import COLOUR, style
from kexp.report.html import text_section
from kexp.report.panel_plots import Panel, new_axes, panel_of, panels
from kexp.report.sections.backtest.method_metrics import words

if TYPE_CHECKING:
    import pandas as pd

ORDER = 30
_CUTS, _MOST_SERIES, _MOST_TARGETS = 4, 2, 3


def applies(record: BacktestRecord) -> bool:
    """True for every backtest."""
    return True


def html(record: BacktestRecord) -> str:
    """HTML of the section."""
    low, high = record.levels[0], record.levels[-1]
    best = str(record.methods.drop(index=record.network).index[0])
    series = list(record.forecasts["series"].unique())
    targets = record.targets[:_MOST_TARGETS] or ("",)
    places = np.unique(np.linspace(0, len(record.cuts) - 1, min(_CUTS, len(record.cuts))).astype(int))
    some = f" {_MOST_SERIES} of {len(series)} series are drawn." if len(series) > _MOST_SERIES else ""
    if len(record.targets) > _MOST_TARGETS:
        some += f" {_MOST_TARGETS} of {len(record.targets)} targets are drawn."
    text = (
        f"At {len(places)} of {len(record.cuts)} cuts, from the first to the last. The bands are between the "
        f"network's quantiles {low:g} and {high:g}, which should hold {100 * (high - low):.0f} % of the "
        f"truth.{some}"
    )
    with style():
        shown = [
            _picture(record, rows, best, name)
            for target in targets
            for one in series[:_MOST_SERIES]
            for place in places
            if len(rows := _rows(record, record.cuts[place], one, target))
            for name in [" ".join(part for part in (target, str(one)) if part)]
        ]
        return text_section("Forecasts with intervals", text, panels(shown))


def _rows(record: BacktestRecord, cut: str, series: object, target: str) -> pd.DataFrame:
    table = record.forecasts
    chosen = (table["cut"] == cut) & (table["series"] == series)
    return table[chosen & (table["target"] == target)] if target else table[chosen]


def _picture(record: BacktestRecord, rows: pd.DataFrame, best: str, name: str) -> Panel:
    own, other = (rows[rows["method"] == method].sort_values("step") for method in (record.network, best))
    low, high = (f"q{level:g}" for level in (record.levels[0], record.levels[-1]))
    steps, truth = own["step"], own["truth"]
    cut = str(own["cut"].iloc[0])
    axes = new_axes(f"{cut} {name}".strip(), "steps ahead", name or "value")
    if low != high:
        axes.fill_between(steps, own[low], own[high], color=COLOUR["level-3"], alpha=0.35, linewidth=0)
    axes.plot(steps, truth, color=COLOUR["ink"], linewidth=1, label="truth", marker=_marker(record))
    lines = ((own, COLOUR["best"], record.network), (other, COLOUR["level-6"], best))
    for table, colour, method in lines:
        axes.plot(
            steps,
            table["value"],
            color=colour,
            linewidth=1.2,
            linestyle="--" if method == record.network else ":",
            marker=_marker(record),
            label=words(method),
        )
    axes.legend(fontsize="small")
    errors = [float(np.abs(table["value"] - truth.to_numpy()).mean()) for table in (own, other)]
    inside = 100 * float(((truth >= own[low]) & (truth <= own[high])).mean())
    return panel_of(
        axes,
        f"Truth and forecasts{f' of {name}' if name else ''} from {cut} on; mean error {errors[0]:.4g}, of "
        f"{words(best)} {errors[1]:.4g}; {inside:.0f} % of the truth in the band.",
    )


def _marker(record: BacktestRecord) -> str:
    return "o" if record.horizon == 1 else ""

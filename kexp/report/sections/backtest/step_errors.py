"""The errors of a backtest by the step of the horizon, of all methods."""

from __future__ import annotations

from matplotlib.ticker import MaxNLocator

from kexp.report.backtest_record import BacktestRecord
from kexp.report.drawing import COLOUR, style
from kexp.report.html import text_section
from kexp.report.panel_plots import Panel, new_axes, panel_of, panels
from kexp.report.sections.backtest.method_metrics import words

ORDER = 50


def applies(record: BacktestRecord) -> bool:
    """True where more than one step is forecast."""
    return record.horizon > 1


def html(record: BacktestRecord) -> str:
    """HTML of the section."""
    text = "Of all cuts and series, by how many steps ahead a forecast is."
    with style():
        shown = [_errors(record, "mase", "MASE"), _errors(record, "wql", "WQL")]
        return text_section("Errors by step of the horizon", text, panels(shown))


def _errors(record: BacktestRecord, metric: str, title: str) -> Panel:
    by_step = record.of_steps[metric].unstack("method").sort_index()
    axes = new_axes(f"{title} by step", "steps ahead", title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for method in [name for name in record.methods.index if name != record.network]:
        axes.plot(by_step.index, by_step[method], linewidth=1, label=words(method))
    own = by_step[record.network]
    axes.plot(by_step.index, own, color=COLOUR["ink"], linewidth=2, label=words(record.network))
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
    return panel_of(
        axes,
        f"The network's {title} is {own.iloc[0]:.4g} one step ahead, {own.iloc[-1]:.4g} at the last step.",
    )

"""The metrics of a backtest over all cuts: the network beside every classical forecast."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from kexp.report.backtest_record import BacktestRecord
from kexp.report.html import heading, table

if TYPE_CHECKING:
    import pandas as pd

ORDER = 20
TITLES = {"mase": "MASE", "smape": "sMAPE", "wql": "WQL", "rmse": "RMSE", "coverage": "coverage"}


def applies(record: BacktestRecord) -> bool:
    """True for every backtest."""
    return True


def html(record: BacktestRecord) -> str:
    """HTML of the section."""
    low, high = record.levels[0], record.levels[-1]
    means = " They are the means over the targets, which stand below." if record.targets else ""
    text = (
        f"The least MASE first; {record.network} is the network. Coverage is the share of the truth between "
        f"the quantiles {low:g} and {high:g}, which should be {high - low:.2g}.{means} {_sentence(record)}"
    )
    shown = [f"<section>{heading('Metrics of all cuts')}<p>{escape(text)}</p>{_table(record.methods)}"]
    if record.of_targets is not None:
        for target in record.targets:
            own = record.of_targets.xs(target, level="target").sort_values("mase")
            shown.append(f"<h3>{escape(target)}</h3>{_table(own)}")
    return "".join([*shown, "</section>"])


def _table(methods: pd.DataFrame) -> str:
    rows = [[words(method), *(row[name] for name in TITLES)] for method, row in methods.iterrows()]
    return table(["method", *TITLES.values()], rows)


def words(method: object) -> str:
    """Return what a method is called in a sentence.

    Example:
        >>> words("exponential_smoothing")
        'exponential smoothing'
    """
    return str(method).replace("_", " ")


def _sentence(record: BacktestRecord) -> str:
    """Return what the network comes to beside the best classical forecast."""
    own, others = record.methods.loc[record.network], record.methods.drop(index=record.network)
    best = others["mase"].idxmin()
    per_cut = record.of_cuts["mase"].unstack("method")
    won = int((per_cut[record.network] < per_cut[best]).sum())
    return (
        f"Of the classical forecasts {words(best)} has the least MASE, {others.loc[best, 'mase']:.4g}; the "
        f"network has {own['mase']:.4g}, and the lesser one at {won} of {len(per_cut)} cuts."
    )

"""The metrics of a backtest at every cut, of the network and of every classical forecast."""

from __future__ import annotations

from kexp.report.backtest_record import BacktestRecord
from kexp.report.html import heading, sortable_table
from kexp.report.sections.backtest.method_metrics import words

ORDER = 40
_TITLES = {"mase": "MASE by cut", "wql": "WQL by cut"}


def applies(record: BacktestRecord) -> bool:
    """True for every backtest."""
    return True


def html(record: BacktestRecord) -> str:
    """HTML of the section."""
    methods = list(record.methods.index)
    tables = []
    for metric, title in _TITLES.items():
        by_cut = record.of_cuts[metric].unstack("method")
        rows = [
            [cut, *(by_cut.loc[cut, method] for method in methods)]
            for cut in record.cuts
            if cut in by_cut.index
        ]
        tables.append(sortable_table(title, ["cut", *map(words, methods)], rows))
    return f"<section>{heading('Every cut')}{''.join(tables)}</section>"

"""The summary of a backtest: cuts, horizon, trainings and arguments."""

from __future__ import annotations

from kexp.data.memory_forms import argument_label
from kexp.report.backtest_record import BacktestRecord
from kexp.report.html import definitions

ORDER = 10


def applies(record: BacktestRecord) -> bool:
    """True for every backtest."""
    return True


def html(record: BacktestRecord) -> str:
    """HTML of the section."""
    trained = "once" if record.trainings == 1 else f"{record.trainings} times"
    facts = {
        "cuts": f"{len(record.cuts)}, from {record.cuts[0]} to {record.cuts[-1]}",
        "horizon": f"{record.horizon} steps",
        "targets": ", ".join(record.targets),
        "network": f"{record.network}, trained {trained}",
        "left out": f"{record.left_out} forecasts, of which steps are missing" if record.left_out else "",
        "arguments": ", ".join(f"{name} {argument_label(value)}" for name, value in record.arguments.items()),
    }
    return definitions({name: text for name, text in facts.items() if text})

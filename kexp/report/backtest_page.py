"""The page of a backtest, one self-contained HTML file without scripts of its own."""

from __future__ import annotations

import os
from pathlib import Path

from kexp.report.backtest_record import BacktestRecord
from kexp.report.html import document, writable, write
from kexp.report.sections import render_sections


def backtest_page(record: BacktestRecord) -> str:
    """Return the page of a backtest: metrics beside classical forecasts, by cut and by step, and pictures."""
    return document(f"Backtest of {record.recipe}", render_sections("backtest", record))


def write_backtest_page(record: BacktestRecord, path: str | os.PathLike[str]) -> Path:
    """Write the page of a backtest to a file, and return its path.

    Args:
        record: The backtest.
        path: A file whose folder exists; an earlier page there is replaced.

    Raises:
        InputError: The folder does not exist or the path is a folder.
    """
    writable(path)
    return write(backtest_page(record), path)

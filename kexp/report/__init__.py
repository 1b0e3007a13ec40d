"""Reports: pages of runs, sweeps, cross-validations and backtests; importance of searched arguments."""

from kexp.report.backtest_page import backtest_page, write_backtest_page
from kexp.report.backtest_record import BacktestRecord
from kexp.report.folds_page import folds_page, write_folds_page
from kexp.report.folds_record import FoldsRecord
from kexp.report.importance import Importance, importance
from kexp.report.run_page import recorded_data, run_page, write_run_page
from kexp.report.sweep_page import sweep_page, write_page
from kexp.report.sweep_record import SweepRecord, TrialRecord, read_history

__all__ = [
    "BacktestRecord",
    "FoldsRecord",
    "Importance",
    "SweepRecord",
    "TrialRecord",
    "backtest_page",
    "folds_page",
    "importance",
    "read_history",
    "recorded_data",
    "run_page",
    "sweep_page",
    "write_backtest_page",
    "write_folds_page",
    "write_page",
    "write_run_page",
]

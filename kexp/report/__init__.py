"""Reports: a page of a run, of a sweep or of a cross-validation, and the importance of searched arguments."""

from kexp.report.folds_page import folds_page, write_folds_page
from kexp.report.folds_record import FoldsRecord
from kexp.report.importance import Importance, importance
from kexp.report.run_page import recorded_data, run_page, write_run_page
from kexp.report.sweep_page import sweep_page, write_page
from kexp.report.sweep_record import SweepRecord, TrialRecord, read_history

__all__ = [
    "FoldsRecord",
    "Importance",
    "SweepRecord",
    "TrialRecord",
    "folds_page",
    "importance",
    "read_history",
    "recorded_data",
    "run_page",
    "sweep_page",
    "write_folds_page",
    "write_page",
    "write_run_page",
]

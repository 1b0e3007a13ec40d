"""What a sweep found, as figures, one page and the importance of what was searched."""

from kexp.report.importance import Importance, importance
from kexp.report.page import sweep_page, write_page
from kexp.report.record import Searched, SweepRecord, TrialRecord, read_history

__all__ = [
    "Importance",
    "Searched",
    "SweepRecord",
    "TrialRecord",
    "importance",
    "read_history",
    "sweep_page",
    "write_page",
]

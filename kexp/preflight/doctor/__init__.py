"""The data doctor: checks of the data alone, which need no model. A check is a file here, and found so.

A file with a subclass of `DataCheck` that has a `name` is a check; `base` has the protocol. No check reads a
target of validation or test data, and none changes anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from kexp.core.reading_progress import shown_work
from kexp.core.scan import instances_of
from kexp.data import Dataset
from kexp.data.batch_feed import FedSplit
from kexp.preflight.doctor.base import DataCheck
from kexp.preflight.findings import Finding

__all__ = ["DataCheck", "data_checks", "doctor_findings"]


@cache
def data_checks() -> tuple[DataCheck, ...]:
    """Return all checks, by the names of their files.

    Example:
        >>> [check.name for check in data_checks()][:2]
        ['labels', 'one column']
    """
    return tuple(instances_of(__name__, DataCheck))


def doctor_findings(data: Dataset) -> list[Finding]:
    """Return the findings of every check that applies to a data set.

    Args:
        data: What `kexp.data.load` returned. Of data that is fed in batches nothing is found.

    Source:
        Kapoor and Narayanan 2023, "Leakage and the reproducibility crisis in machine-learning-based science",
        Patterns 4(9), for the kinds of leak.

    Example:
        >>> import kexp
        >>> {finding.status for finding in doctor_findings(kexp.data.load("wine"))}
        {'ok'}
    """
    if isinstance(data.train, FedSplit):
        return []
    if data.validation is data.train:  # as with overfit_batches, where it was asked for
        data = replace(data, validation=None)
    return [finding for check in data_checks() for finding in _findings(check, data)]


def _findings(check: DataCheck, data: Dataset) -> Sequence[Finding]:
    with shown_work(f"checking the data for {check.name}"):
        return check.findings(data) if check.applies(data) else ()

"""Held-out data of a finished run: the validation part, which probabilities and intervals are fitted on."""

from __future__ import annotations

from kexp.core.errors import InputError
from kexp.data import DataLike, Dataset, Split
from kexp.data.batch_feed import FedSplit
from kexp.report.judged_classes import JudgedClasses, judge_classes
from kexp.report.judged_values import JudgedValues, judge_values
from kexp.report.run_page import recorded_data, require_same_data
from kexp.run.record import RunRecord
from kexp.tasks import task_named


def held_out(record: RunRecord, data: DataLike | None, what: str) -> tuple[Dataset, Split]:
    """Return the data of a run and its validation part.

    Args:
        record: A finished run.
        data: What it was trained on, as for `Result.report`; None: as it recorded them.
        what: What needs them, for messages, as "calibrate".

    Raises:
        InputError: The data are not those of the run or not at hand, it had no validation part, or that comes
            in batches.
    """
    found = data if isinstance(data, Dataset) else recorded_data(record, data)
    require_same_data(record, found)
    if found.validation is None or not len(found.validation):
        raise InputError(
            f"{what} needs validation samples, and the run had none: train with validation above 0."
        )
    if isinstance(found.validation, FedSplit):
        raise InputError(f"{what} needs validation samples in arrays, and those of the run come in batches.")
    return found, found.validation


def require_classifier(record: RunRecord, what: str) -> None:
    """Refuse runs of another task than one class for each sample.

    Raises:
        InputError: It is one.
    """
    if not task_named(record.spec.task).has_labels:
        raise InputError(f"{what} is for classifiers with one class a sample; this run is {_task(record)}.")


def require_regression(record: RunRecord, what: str) -> None:
    """Refuse runs of another task than numbers.

    Raises:
        InputError: It is one.
    """
    if not task_named(record.spec.task).has_residuals:
        raise InputError(f"{what} is for regression and forecasts; this run is {_task(record)}.")


def classes_of(record: RunRecord, split: Split, what: str) -> JudgedClasses:
    """Return truth and probabilities of all samples of a part.

    Raises:
        InputError: A sample has no single class.
    """
    found = judge_classes(split.targets, record.predictions_of(split.inputs), record.spec)
    if found is None:
        raise InputError(f"{what} needs one class for each sample; the targets are mixed labels.")
    return found


def values_of(record: RunRecord, split: Split, what: str) -> JudgedValues:
    """Return truth and predictions of all samples of a part.

    Raises:
        InputError: They are not as many numbers, or one is not finite.
    """
    found = judge_values(split.targets, record.predictions_of(split.inputs), record.spec)
    if found is None:
        raise InputError(f"{what} needs finite targets and predictions of the same shape.")
    return found


def _task(record: RunRecord) -> str:
    return f"one of {record.spec.task}"

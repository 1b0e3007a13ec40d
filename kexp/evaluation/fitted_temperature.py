"""The temperature of a classifier, fitted on validation data and measured on the test part."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np

from kexp.core.errors import InputError
from kexp.data import DataLike, Split
from kexp.evaluation.held_out_data import held_out, require_classifier
from kexp.metrics.reliability import BINS, chance_error, reliability
from kexp.metrics.temperature_scaling import best_temperature, mean_log_loss
from kexp.run.calibration_file import Calibration, CalibrationErrors, model_checksum
from kexp.run.record import RunRecord
from kexp.tasks.class_choice import class_logits, softmax
from kexp.tasks.classification import class_indices

_WHAT = "calibrate"


def fit_temperature(record: RunRecord, data: DataLike | None = None) -> Calibration:
    """Return the temperature that makes the validation part most probable, and the errors before and after.

    Args:
        record: A finished run of a classifier.
        data: What it was trained on, as for `Result.report`; default: as it recorded them.

    Raises:
        InputError: It is no classifier, there is no validation part, or all of that is told right.
    """
    require_classifier(record, _WHAT)
    dataset, validation = held_out(record, data, _WHAT)
    logits, truth = _logits(record, validation), _truth(record, validation)
    temperature = best_temperature(logits, truth)
    test = dataset.test if dataset.test is not None and len(dataset.test) else None
    return Calibration(
        temperature=temperature,
        bins=BINS,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        model=model_checksum(record.run_dir, record.files),
        validation=_errors(logits, truth, temperature),
        test=None if test is None else _errors(_logits(record, test), _truth(record, test), temperature),
    )


def _logits(record: RunRecord, split: Split) -> np.ndarray:
    return class_logits(record.outputs_of(split.inputs), from_probabilities=not record.from_logits)


def _truth(record: RunRecord, split: Split) -> np.ndarray:
    found = class_indices(np.asarray(split.targets), record.spec.outputs)
    if found is None:
        raise InputError(f"{_WHAT} needs one class for each sample; the targets are mixed labels.")
    return found


def _errors(logits: np.ndarray, truth: np.ndarray, temperature: float) -> CalibrationErrors:
    right = logits.argmax(axis=1) == truth
    before, after = softmax(logits).max(axis=1), softmax(logits / temperature).max(axis=1)
    return CalibrationErrors(
        samples=len(truth),
        error_before=reliability(before, right).error,
        error_after=reliability(after, right).error,
        error_by_chance=chance_error(after),
        log_loss_before=mean_log_loss(logits, truth),
        log_loss_after=mean_log_loss(logits / temperature, truth),
    )

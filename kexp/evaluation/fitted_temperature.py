"""The temperature of a classifier, fitted on validation data and measured on the test part."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np

from kexp.data import DataLike, Split
from kexp.evaluation.held_out_data import classes_of, held_out, require_classifier
from kexp.metrics.reliability import BINS, chance_error, reliability
from kexp.metrics.temperature_scaling import best_temperature, mean_log_loss
from kexp.report.judged_classes import JudgedClasses
from kexp.run.calibration_file import Calibration, CalibrationErrors, model_checksum
from kexp.run.record import RunRecord
from kexp.tasks.class_choice import LEAST, tempered

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
    plain = record.calibrated(None)
    fitted = classes_of(plain, validation, _WHAT)
    temperature = best_temperature(_logits(fitted.probabilities), fitted.truth)
    return Calibration(
        temperature=temperature,
        bins=BINS,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        model=model_checksum(record.run_dir, record.files),
        validation=_errors(fitted, temperature),
        test=_of_test(plain, dataset.test, temperature),
    )


def _of_test(record: RunRecord, test: Split | None, temperature: float) -> CalibrationErrors | None:
    if test is None or not len(test):
        return None
    return _errors(classes_of(record, test, _WHAT), temperature)


def _errors(judged: JudgedClasses, temperature: float) -> CalibrationErrors:
    after = JudgedClasses(judged.names, judged.truth, tempered(judged.probabilities, temperature))
    logits = _logits(judged.probabilities)
    return CalibrationErrors(
        samples=len(judged.truth),
        error_before=reliability(judged.confidence, ~judged.wrong).error,
        error_after=reliability(after.confidence, ~judged.wrong).error,
        error_by_chance=chance_error(after.confidence),
        log_loss_before=mean_log_loss(logits, judged.truth),
        log_loss_after=mean_log_loss(logits / temperature, judged.truth),
    )


def _logits(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities.astype(np.float64), LEAST))

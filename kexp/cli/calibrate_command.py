"""The command `calibrate`: probabilities that hold, and how often sets and intervals have the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kexp.core.constraints import Level
from kexp.core.tensorflow_start import KERAS_EXTRAS, start_tensorflow

if TYPE_CHECKING:
    from kexp.evaluation.conformal_prediction import ConformalScores, Coverage
    from kexp.run.calibration_file import Calibration

_MOST = 12  # targets or steps, a line each
_WORSE = 1.01  # times the log loss, from which on it is worth a word


def calibrate(run_dir: str, *, level: Level = 0.9) -> None:
    """Fit the temperature of a classifier on validation data, and measure conformal sets or intervals.

    The temperature goes into calibration.json in the run folder, by which predict, evaluate, export and
    report go from then on; labels do not change. Of a regression or a forecast intervals alone are measured.

    Args:
        run_dir: Folder of a finished run.
        level: How often a set of classes, or an interval, shall have the truth in it.
    """
    from kexp.result import load
    from kexp.tasks import task_named

    result = load(run_dir)
    start_tensorflow(without=KERAS_EXTRAS)
    from kexp.evaluation.conformal_prediction import conformal_scores
    from kexp.report import recorded_data

    data = recorded_data(result)
    # A level that needs more samples is refused before anything is written.
    scores = conformal_scores(result, level, data)
    if task_named(result.spec.task).has_labels:
        calibration = result.calibrate(data=data)
        _print_temperature(calibration)
        scores = conformal_scores(result, level, data)
    _print_coverage(scores, "mean set size" if task_named(result.spec.task).has_labels else "width")


def _print_temperature(found: Calibration) -> None:
    print(f"temperature {found.temperature:.4g}, in calibration.json of the run")
    for name, part in (("validation", found.validation), ("test", found.test)):
        if part is None:
            print(f"{name}: the data has no such part.")
            continue
        errors = f"{part.error_before:.4f} before, {part.error_after:.4f} after"
        print(
            f"{name}: expected calibration error ({found.bins} bins) {errors}, {part.error_by_chance:.4f} by "
            f"chance alone; log loss {part.log_loss_before:.4f} before, {part.log_loss_after:.4f} after; "
            f"{part.samples:,} samples"
        )
    if found.test is not None and found.test.log_loss_after > _WORSE * found.test.log_loss_before:
        print(
            f"the log loss of the test part rises by it: the temperature is of {found.validation.samples:,} "
            "validation samples, by which the epoch was chosen too; remove calibration.json to go without it."
        )


def _print_coverage(scores: ConformalScores, size: str) -> None:
    print(f"conformal at level {scores.level:g}, by {scores.calibrated_on:,} validation samples")
    if not scores.coverage:
        print("coverage is not measured: the data has no test part.")
    for one in scores.coverage[:_MOST]:
        print(_line(one, size))
    if len(scores.coverage) > _MOST:
        print(f"and {len(scores.coverage) - _MOST} more targets.")


def _line(one: Coverage, size: str) -> str:
    (low, high), (least, most) = one.interval, one.by_chance
    return (
        f"test{' ' + one.name if one.name else ''}: coverage {one.share:.4f} (95 % interval {low:.4f} to "
        f"{high:.4f}) of {one.samples:,} samples, {least:.4f} to {most:.4f} by chance alone; {size} "
        f"{one.size:.4g}"
    )

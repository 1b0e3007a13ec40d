"""Conformal predictions of a run: sets of classes and intervals of numbers that hold at a level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kexp.core.constraints import Count, Level, check_value
from kexp.core.errors import InputError
from kexp.data import DataLike, Split
from kexp.evaluation.held_out_data import (
    classes_of,
    held_out,
    require_classifier,
    require_regression,
    values_of,
)
from kexp.metrics.conformal import conformal_quantile, coverage_by_chance, drawn_of_groups, require_samples
from kexp.metrics.intervals import Interval, share_interval
from kexp.run.record import RunRecord
from kexp.tasks import task_named


@dataclass(frozen=True)
class Coverage:
    """How often the truth of the test part is in its sets or intervals.

    Attributes:
        name: Of the target; "" of a classifier.
        share: Of the samples.
        interval: The 95 % interval of the share (Wilson 1927), as if samples were independent.
        samples: Of the test part.
        size: Mean number of classes in a set, or the width of an interval in the units of the target.
        by_chance: Where the share is in 95 % of cases if samples are exchangeable with those of validation,
            of as many of both.
    """

    name: str
    share: float
    interval: Interval
    samples: int
    size: float
    by_chance: Interval


@dataclass(frozen=True, eq=False)
class PredictionSets:
    """The classes that the true one of each sample is among, at a level.

    Attributes:
        level: Share of samples of which that holds.
        class_names: Of all classes, in order.
        included: (n, classes) whether each is in the set; a set may be empty.
        calibrated_on: Validation samples that the sets were made by.
        coverage: Of the test part; None: the data has none.
    """

    level: float
    class_names: tuple[str, ...]
    included: np.ndarray
    calibrated_on: int
    coverage: Coverage | None

    @property
    def label_lists(self) -> list[list[str]]:
        """The classes of each sample, in the order of the data's."""
        names = np.array(self.class_names, dtype=object)
        return [names[row].tolist() for row in self.included]


@dataclass(frozen=True, eq=False)
class PredictionIntervals:
    """What the number of each sample lies between, at a level that holds for each target by itself.

    Attributes:
        level: Share of samples of which that holds.
        target_names: Of the targets, or of the steps of a forecast, in order.
        values: (n, targets) predictions, which are the middles.
        low: (n, targets) lower ends.
        high: (n, targets) upper ends.
        calibrated_on: Validation samples that the widths were made by.
        coverage: Of the test part, of each target; (): the data has none.
    """

    level: float
    target_names: tuple[str, ...]
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    calibrated_on: int
    coverage: tuple[Coverage, ...]


@dataclass(frozen=True, eq=False)
class ConformalScores:
    """The quantile of a run's validation scores, and what it is worth on the test part.

    Attributes:
        level: That it was asked for.
        names: Of the classes or of the targets.
        quantile: Largest 1 - p of a class in a set, or (targets,) half the width of intervals.
        calibrated_on: How many scores it is of.
        coverage: Of the test part, of each target; (): the data has none.
    """

    level: float
    names: tuple[str, ...]
    quantile: np.ndarray
    calibrated_on: int
    coverage: tuple[Coverage, ...]


def conformal_scores(
    record: RunRecord,
    level: float = 0.9,
    data: DataLike | None = None,
    groups: Any = None,
    recent: int | None = None,
) -> ConformalScores:
    """Return the quantile of the validation scores of a classifier or a regression.

    Args:
        record: A finished run.
        level: As of `Result.prediction_sets`, as the other arguments are.
        data: What it was trained on.
        groups: What each validation sample belongs to.
        recent: How many of the last validation samples count.

    Raises:
        InputError: The run is of another task, the data is not that of the run, or the level needs more
            validation samples.
    """
    level = check_value("level", level, Level)
    classifies = task_named(record.spec.task).has_labels
    what = "prediction_sets" if classifies else "prediction_intervals"
    if not classifies:
        require_regression(record, what)
    dataset, validation = held_out(record, data, what)
    rows = _rows(len(validation), groups, recent)
    require_samples(len(rows), level)
    if not classifies:
        judged = values_of(record, validation, what)
        quantile = conformal_quantile(np.abs(judged.residuals)[rows], level)
        coverage = _covered_values(record, dataset.test, quantile, what, len(rows), level)
        return ConformalScores(level, judged.names, quantile, len(rows), coverage)
    known = classes_of(record, validation, what)
    scores = 1 - known.probabilities[np.arange(len(known.truth)), known.truth]
    threshold = conformal_quantile(scores[rows], level)
    found = _covered_classes(record, dataset.test, threshold, what, len(rows), level)
    return ConformalScores(level, known.names, threshold, len(rows), found)


def prediction_sets(record: RunRecord, inputs: Any, scores: ConformalScores) -> PredictionSets:
    """Return the sets of classes for raw inputs, by the scores of the run."""
    require_classifier(record, "prediction_sets")
    probabilities = record.predict(inputs).probabilities
    assert probabilities is not None
    coverage = next(iter(scores.coverage), None)
    included = _included(probabilities, scores.quantile)
    return PredictionSets(scores.level, scores.names, included, scores.calibrated_on, coverage)


def prediction_intervals(record: RunRecord, inputs: Any, scores: ConformalScores) -> PredictionIntervals:
    """Return the intervals of numbers for raw inputs, by the scores of the run."""
    values = record.predict(inputs).values
    assert values is not None
    return PredictionIntervals(
        scores.level,
        scores.names,
        values,
        values - scores.quantile,
        values + scores.quantile,
        scores.calibrated_on,
        scores.coverage,
    )


def _rows(count: int, groups: Any, recent: int | None) -> np.ndarray:
    """Return the validation rows whose scores count."""
    if groups is not None and recent is not None:
        raise InputError("recent must be left out with groups; give one of them.")
    if groups is not None:
        given = np.asarray(groups)
        if given.shape != (count,):
            raise InputError(
                f"groups must say what each of the {count} validation samples belongs to; received an array "
                f"of shape {given.shape}."
            )
        return drawn_of_groups(given)
    if recent is None:
        return np.arange(count)
    return np.arange(count)[-check_value("recent", recent, Count) :]


def _included(probabilities: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    return np.asarray(1 - probabilities <= threshold)


def _covered_classes(
    record: RunRecord, test: Split | None, threshold: np.ndarray, what: str, count: int, level: float
) -> tuple[Coverage, ...]:
    if test is None or not len(test):
        return ()
    judged = classes_of(record, test, what)
    included = _included(judged.probabilities, threshold)
    right = included[np.arange(len(included)), judged.truth]
    chance = coverage_by_chance(count, len(right), level)
    return (_coverage("", right, float(included.sum(axis=1).mean()), chance),)


def _covered_values(
    record: RunRecord, test: Split | None, quantile: np.ndarray, what: str, count: int, level: float
) -> tuple[Coverage, ...]:
    if test is None or not len(test):
        return ()
    judged = values_of(record, test, what)
    right = np.abs(judged.residuals) <= quantile
    chance = coverage_by_chance(count, len(right), level)
    return tuple(
        _coverage(name, right[:, place], 2 * float(quantile[place]), chance)
        for place, name in enumerate(judged.names)
    )


def _coverage(name: str, right: np.ndarray, size: float, chance: Interval) -> Coverage:
    return Coverage(name, float(right.mean()), share_interval(right), len(right), size, chance)

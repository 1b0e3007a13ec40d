"""The paired test of two runs on the same rows of validation data, and the mistakes that only one makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kexp.core.errors import InputError
from kexp.metrics.intervals import mean_interval

if TYPE_CHECKING:
    from kexp.report.reported import ReportedRun

_LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class PairedTest:
    """What two runs answer on the same rows.

    Attributes:
        first: What the first run is called.
        other: What the other is called.
        seed: Of both.
        rows: What the rows are, for a sentence.
        figure: "accuracy", or "mean squared error".
        values: The figure of the first run and of the other.
        low: Low end of the 95 % interval of the first run's figure less the other's, by resampling rows.
        high: High end.
        p_value: Of McNemar's exact test, or of Wilcoxon's signed-rank test.
        test: Which of them.
        only_first: Places of the rows that the first run alone gets wrong, of classes.
        only_other: Places of those that the other alone does.
    """

    first: str
    other: str
    seed: int
    rows: str
    figure: str
    values: tuple[float, float]
    low: float
    high: float
    p_value: float
    test: str
    only_first: np.ndarray
    only_other: np.ndarray

    @property
    def distinguishable(self) -> bool:
        """Whether the runs differ beyond chance, at a level of 5 %."""
        return self.p_value < _LEVEL

    def __str__(self) -> str:
        verdict = "they differ" if self.distinguishable else "not distinguishable"
        wrong = ""
        if self.figure == "accuracy":
            wrong = (
                f"; {len(self.only_first)} mistakes only of {self.first}, {len(self.only_other)} only of "
                f"{self.other}"
            )
        return (
            f"{self.first} and {self.other}, seed {self.seed}, on {self.rows}: {self.figure} "
            f"{self.values[0]:.4f} and {self.values[1]:.4f}, difference [{self.low:.4f}, {self.high:.4f}], "
            f"{self.test} p = {self.p_value:.2g}: {verdict}{wrong}"
        )


def paired_test(first: str, other: str, seed: int, one: ReportedRun, two: ReportedRun) -> PairedTest:
    """Return what two runs answer on the same rows of their validation data.

    Args:
        first: What the first run is called.
        other: What the other is called.
        seed: Of both.
        one: The first run with its data.
        two: The other.

    Raises:
        InputError: They were not validated on the same rows, or their answers are neither classes nor values.

    Source:
        McNemar, Note on the sampling error of the difference between correlated proportions, Psychometrika
        12, 1947; Wilcoxon, Individual comparisons by ranking methods, Biometrics 1, 1945.
    """
    _require_same_rows(one, two)
    rows = one.judged_name
    if one.classes is not None and two.classes is not None:
        wrong = one.classes.wrong, two.classes.wrong
        found = [np.flatnonzero(wrong[0] & ~wrong[1]), np.flatnonzero(wrong[1] & ~wrong[0])]
        right = [(~side).astype(np.float64) for side in wrong]
        return PairedTest(
            *(first, other, seed, rows, "accuracy", (float(right[0].mean()), float(right[1].mean()))),
            *mean_interval(right[0] - right[1]),
            _mcnemar(len(found[0]), len(found[1])),
            "McNemar",
            found[0],
            found[1],
        )
    if one.values is not None and two.values is not None:
        errors = [(side.residuals**2).mean(axis=1) for side in (one.values, two.values)]
        means = (float(errors[0].mean()), float(errors[1].mean()))
        none = np.zeros(0, np.int64)
        return PairedTest(
            *(first, other, seed, rows, "mean squared error", means),
            *mean_interval(errors[0] - errors[1]),
            _wilcoxon(errors[0] - errors[1]),
            "Wilcoxon",
            none,
            none,
        )
    raise InputError("their predictions are neither classes nor values of the same rows.")


def _require_same_rows(one: ReportedRun, two: ReportedRun) -> None:
    if one.data is None or two.data is None:
        raise InputError("their data are not at hand.")
    if one.data.validation is None or two.data.validation is None:
        raise InputError("a run has no validation data.")
    pairs = [one.split.targets, two.split.targets], [one.split.inputs, two.split.inputs]
    if not all(_equal(*pair) for pair in pairs):
        raise InputError("they were validated on other rows; runs with the same seed and data are not.")


def _equal(one: object, two: object) -> bool:
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return one.keys() == two.keys() and all(_equal(one[name], two[name]) for name in one)
    arrays = [np.asarray(side) for side in (one, two)]
    # Of objects, what is missing is not equal to itself.
    plain = [array.astype(str) if array.dtype == object else array for array in arrays]
    number = all(array.dtype.kind == "f" for array in plain)
    return bool(np.array_equal(plain[0], plain[1], equal_nan=number))


def _mcnemar(only_first: int, only_other: int) -> float:
    from scipy.stats import binomtest

    both = only_first + only_other
    return float(binomtest(only_first, both, 0.5).pvalue) if both else 1.0


def _wilcoxon(differences: np.ndarray) -> float:
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0

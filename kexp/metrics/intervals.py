"""Intervals of metrics: how far chance in the choice of the measured samples may have moved them.

Samples are taken as independent of one another: where they come in groups, or one after the other in time,
the true intervals are wider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from kexp.metrics.bounds import UNBOUNDED, Bounds

Interval = tuple[float, float]
LEVEL = 0.95
_RESAMPLES = 1000
_AT_ONCE = 50  # resamples in memory
_OF_SAMPLES = {"frechet", "kernel"}
DISTANCE_INTERVALS = (
    "The 95 % intervals of Fréchet and kernel distances are for the expected distance of as many samples; "
    "the distance of other samples lies in them less often (0.82 to 0.86 of the cases in simulations)."
)


def share_interval(right: np.ndarray) -> Interval:
    """Return the 95 % interval of a share, such as an accuracy (Wilson 1927).

    Args:
        right: (samples,) whether each is counted, one sample or more.

    Example:
        >>> [round(end, 3) for end in share_interval(np.arange(10) < 9)]
        [0.596, 0.982]
    """
    from scipy.stats import binomtest

    found = binomtest(int(np.sum(right)), len(right)).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def error_intervals(truth: np.ndarray, answers: np.ndarray) -> dict[str, Interval]:
    """Return the 95 % intervals of the errors of numbers: percentiles of bootstrap samples (Efron 1979).

    Args:
        truth: (samples, outputs).
        answers: (samples, outputs) predictions.

    Returns:
        Of `root_mean_squared_error` and `mean_absolute_error` over all numbers; none for fewer than two
        samples, or where a number is not finite.

    Example:
        >>> found = error_intervals(np.zeros((100, 1)), np.linspace(-1, 1, 100)[:, None])
        >>> [round(end, 2) for end in found["mean_absolute_error"]]
        [0.45, 0.56]
    """
    errors = np.asarray(answers, np.float64) - np.asarray(truth, np.float64)
    if len(errors) < 2 or not np.isfinite(errors).all():
        return {}
    low, high = mean_interval(np.square(errors).mean(axis=1))
    return {
        "root_mean_squared_error": (float(np.sqrt(low)), float(np.sqrt(high))),
        "mean_absolute_error": mean_interval(np.abs(errors).mean(axis=1)),
    }


def mean_interval(values: np.ndarray) -> Interval:
    """Return the 95 % interval of a mean: percentiles of bootstrap samples (Efron 1979).

    Args:
        values: (samples,), one or more.

    Example:
        >>> [round(end, 1) for end in mean_interval(np.arange(100.0))]
        [43.8, 55.0]
    """
    if np.ptp(values) == 0:  # nothing that resampling would change
        return float(values[0]), float(values[0])
    return _bootstrapped((values,), np.mean)


def difference_interval(first: np.ndarray, other: np.ndarray, *, of_roots: bool = False) -> Interval:
    """Return the 95 % interval of the difference of two means over the same samples: a paired bootstrap.

    Samples are drawn with their values of both, so that what is hard for both says nothing of the difference.

    Args:
        first: (samples,) values, one or more.
        other: (samples,) values of the same samples.
        of_roots: Whether the roots of the means are compared, as of squared errors; default False.

    Source:
        Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.

    Example:
        >>> first = np.arange(100.0)
        >>> [round(end, 2) for end in difference_interval(first + 1, first)]
        [1.0, 1.0]
        >>> [round(end, 2) for end in difference_interval(4 * first, first, of_roots=True)]
        [6.62, 7.41]
    """
    first, other = np.asarray(first, np.float64), np.asarray(other, np.float64)

    def difference(one: np.ndarray, two: np.ndarray, axis: int = -1) -> np.ndarray:
        means = [side.mean(axis=axis) for side in (one, two)]
        return np.subtract(*(np.sqrt(means) if of_roots else means))

    if np.ptp(first) == 0 and np.ptp(other) == 0:  # nothing that resampling would change
        same = float(difference(first, other))
        return same, same
    return _bootstrapped((first, other), difference)


def interval_within(mean: float, reach: float, bounds: Bounds = UNBOUNDED) -> Interval:
    """Return the interval of a mean and what it reaches to either side, within the bounds of its metric.

    Between two bounds it is symmetric on the logit scale, by the delta method: of five simulated accuracies
    of mean 0.9 and deviation 0.1 it holds the mean in 0.94 of the cases, where one that is cut at 1 does in
    0.89. At a single bound it is cut, which changes nothing of how often it holds the mean.

    Args:
        mean: Of values that lie within the bounds.
        reach: Half the width of the symmetric interval, such as Student's t gives.
        bounds: Lowest and highest value of the metric; default none.

    Source:
        Agresti 2013, "Categorical Data Analysis", section 16.1 (delta method).

    Example:
        >>> [round(end, 3) for end in interval_within(0.95, 0.1, (0.0, 1.0))]
        [0.698, 0.994]
        >>> interval_within(0.5, 1.0, (0.0, float("inf"))), interval_within(0.5, 1.0)
        ((0.0, 1.5), (-0.5, 1.5))
    """
    low, high = bounds
    if not (np.isfinite(bounds).all() and low < mean < high):
        return max(mean - reach, low), min(mean + reach, high)
    from scipy.special import expit, logit

    width = high - low
    share = (mean - low) / width
    centre, scaled = logit(share), reach / width / (share * (1 - share))
    return low + width * float(expit(centre - scaled)), low + width * float(expit(centre + scaled))


def interval_notes(names: Iterable[str]) -> list[str]:
    """Return what intervals among the metrics of a run are of, where that is easily taken for more.

    Args:
        names: Of the metrics.

    Example:
        >>> len(interval_notes(["test_frechet_cnn_1000_low95"])), interval_notes(["test_auroc_low95"])
        (1, [])
    """
    distances = [name for name in names if name.endswith("_low95") and {*name.split("_")} & _OF_SAMPLES]
    return [DISTANCE_INTERVALS] if distances else []


def _bootstrapped(samples: tuple[np.ndarray, ...], statistic: Callable[..., Any]) -> Interval:
    """Return the percentiles of a statistic over samples that are drawn anew, of several by the same rows."""
    from scipy.stats import bootstrap

    found = bootstrap(
        samples,
        statistic,
        paired=len(samples) > 1,
        n_resamples=_RESAMPLES,
        batch=_AT_ONCE,
        confidence_level=LEVEL,
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)

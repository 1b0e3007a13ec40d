"""The best trials over fresh seeds: which one wins, and whether the next is any worse."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.html_tables import printed
from kexp.metrics.bounds import UNBOUNDED, Bounds, metric_bounds
from kexp.metrics.direction import Direction
from kexp.metrics.intervals import interval_within

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE = 0.95
ENOUGH = 5  # values, of which an interval is about as wide as their deviation to either side


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % confidence interval, by Student's t; within the bounds of a metric that has some.

    Attributes:
        mean: Of the values.
        spread: Their standard deviation, with one degree of freedom taken off.
        low: Low end of the interval for the mean.
        high: High end.

    Example:
        >>> print(Estimate.of([0.90, 0.92, 0.91]))
        0.9100 [0.8852, 0.9348]
    """

    mean: float
    spread: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], held_ratio: float = 0.0, bounds: Bounds = UNBOUNDED) -> Estimate:
        """Return the estimate from values, two or more; NaN throughout if one is not finite.

        Args:
            values: Independent ones, or of the folds of a cross-validation, which share what they are trained
                on.
            held_ratio: Of folds, held-out rows for each of the others, which widens the interval by what the
                folds share; default 0: values are independent.
            bounds: Of the metric, within which the interval then is; default none. A metric that leaves them,
                such as an accuracy in percent, has none.

        Source: Nadeau and Bengio, Inference for the Generalization Error, Machine Learning 52, 2003.
        """
        if not all(map(math.isfinite, values)):
            return cls(math.nan, math.nan, math.nan, math.nan)
        from scipy.stats import t

        mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
        error = spread * math.sqrt(1 / len(values) + held_ratio)
        reach = float(t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1)) * error
        inside = bounds if bounds[0] <= min(values) and max(values) <= bounds[1] else UNBOUNDED
        return cls(mean, spread, *interval_within(mean, reach, inside))

    def holds(self, value: float) -> bool:
        """Return whether the interval holds a value; one that is not known holds every value."""
        return math.isnan(self.mean) or self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Candidate:
    """A trial's arguments, run with every fresh seed.

    Attributes:
        place: Among the candidates as given, from 0.
        arguments: Without the seed.
        values: The metric for each seed; NaN where the run gave none.
        estimate: Of the metric.
        ahead: By how much it is better than the next one, paired by seed; None for the last.
    """

    place: int
    arguments: dict[str, Any]
    values: tuple[float, ...]
    estimate: Estimate
    ahead: Estimate | None = None

    @property
    def distinguishable(self) -> bool | None:
        """Whether it is better than the next beyond chance; None for the last, or if that is not known."""
        if self.ahead is None or math.isnan(self.ahead.mean):
            return None
        return not self.ahead.holds(0.0)

    @property
    def verdict(self) -> str:
        """Whether it is better than the next one, in words; empty where it leads none."""
        if self.ahead is None:
            return ""
        if self.distinguishable is None:
            return "no comparison with the next: a run gave no value"
        return "better than the next" if self.distinguishable else "not distinguishable from the next"


@dataclass(frozen=True)
class SeedComparison:
    """The candidates over fresh seeds, best mean first.

    The winner is chosen by validation alone, and its validation mean is the better for being the best of
    several: what it is worth is said by `test`.

    Attributes:
        recipe: Its name.
        metric: That they were compared by, on validation data.
        direction: "max" when a higher value is better, "min" when a lower one is.
        seeds: What each was run with.
        candidates: Best mean first; those that lack a value last.
        run_dirs: The winner's run folders, which hold weights, in the order of the seeds.
        test: By metric of the winner on test data; empty as long as they were not measured.
    """

    recipe: str
    metric: str
    direction: Direction
    seeds: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    run_dirs: tuple[Path, ...] = ()
    test: dict[str, Estimate] = field(default_factory=dict)

    @property
    def winner(self) -> Candidate:
        """The first of the candidates, which are in order."""
        return self.candidates[0]

    @property
    def known(self) -> bool:
        """Whether there is a winner: a candidate with a value for every seed."""
        return math.isfinite(self.winner.estimate.mean)

    def with_test(self, metrics: Sequence[Mapping[str, float]]) -> SeedComparison:
        """Return this with the test metrics of the winner's runs, in the order of the seeds."""
        names = [name for name in metrics[0] if name.startswith("test_")]
        values = {name: [one[name] for one in metrics] for name in names}
        found = {name: Estimate.of(of_one, bounds=metric_bounds(name)) for name, of_one in values.items()}
        return replace(self, test=found)

    def __str__(self) -> str:
        better = "higher" if self.direction == "max" else "lower"
        runs = f"{self.metric} over {len(self.seeds)} fresh seeds"
        lines = [f"{self.recipe}: {runs}, mean and {CONFIDENCE:.0%} interval ({better} is better)"]
        for rank, candidate in enumerate(self.candidates, 1):
            given = ", ".join(f"{name}={value}" for name, value in candidate.arguments.items())
            verdict = f"  {candidate.verdict}" if candidate.verdict else ""
            lines.append(f"{rank}. {candidate.estimate}{verdict}  {given}")
        lines += [f"test, of the first alone: {name} {found}" for name, found in self.test.items()]
        lines += filter(None, [few_values(len(self.seeds))])
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return printed(self)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per candidate, best first: arguments, mean, interval, values and comparison."""
        import pandas as pd

        rows = [
            {"candidate": candidate.place, **candidate.arguments}
            | {"mean": candidate.estimate.mean, "sd": candidate.estimate.spread}
            | {"low": candidate.estimate.low, "high": candidate.estimate.high}
            | {f"seed {seed}": value for seed, value in zip(self.seeds, candidate.values, strict=True)}
            | {
                "ahead": None if candidate.ahead is None else candidate.ahead.mean,
                "verdict": candidate.verdict,
            }
            for candidate in self.candidates
        ]
        return pd.DataFrame(rows).set_index("candidate")


def few_values(count: int, noun: str = "seeds") -> str:
    """Return what is to be said of the interval of very few values; empty where there are more.

    Args:
        count: How many.
        noun: Of what the values are.

    Example:
        >>> few_values(2)
        'Two seeds are too few for a useful interval: it is 9 deviations to either side, with 5 seeds 1.2.'
        >>> few_values(3)
        ''
    """
    if count != 2:
        return ""
    from scipy.stats import t

    reach = [float(t.ppf(0.5 + CONFIDENCE / 2, many - 1)) / math.sqrt(many) for many in (2, ENOUGH)]
    return (
        f"Two {noun} are too few for a useful interval: it is {reach[0]:.2g} deviations to either side, with "
        f"{ENOUGH} {noun} {reach[1]:.2g}."
    )


def fresh_seeds(count: int, used: Collection[int]) -> tuple[int, ...]:
    """Return the smallest seeds, from 1, that the search has not used.

    Args:
        count: How many, 2 or more for an interval.
        used: Seeds of the sweep and of its trials, on which the candidates were chosen.

    Raises:
        InputError: Fewer than two.

    Example:
        >>> fresh_seeds(3, used={0, 2})
        (1, 3, 4)
    """
    if count < 2:
        raise InputError(f"seeds must be 2 or more for a confidence interval; received {count}.")
    return tuple([seed for seed in range(1, count + len(used) + 1) if seed not in used][:count])


def compare_seeds(
    recipe: str,
    metric: str,
    direction: Direction,
    candidates: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    runs: Sequence[Sequence[Mapping[str, float]]],
) -> SeedComparison:
    """Rank candidates that were run with every seed on validation data, and compare each with the next.

    Each candidate's mean comes with a t-interval, which stays within the bounds of the metric. It is compared
    with the next by the differences for the same seed: where their 95 % interval holds 0, the two are not
    distinguishable. The level is that of one comparison, not of all of them together. Test metrics are not
    looked at.

    Args:
        recipe: Its name, for the text.
        metric: Of the runs, on validation data.
        direction: "max" when a higher value is better, "min" when a lower one is.
        candidates: Arguments of the top trials, without the seed.
        seeds: Two or more, which the search has not used; see `fresh_seeds`.
        runs: For each candidate, the metrics of its run with each seed; one without the metric was lost.

    Raises:
        InputError: There is no candidate, a seed is missing or double, the metric is a test metric, or no run
            has it.

    Source:
        Bouthillier et al., Accounting for Variance in Machine Learning Benchmarks, MLSys 2021.

    Example:
        >>> runs = [[{"val_accuracy": base + seed / 100} for seed in (1, 2, 3)] for base in (0.808, 0.864)]
        >>> candidates = [{"width": 8}, {"width": 64}]
        >>> found = compare_seeds("net", "val_accuracy", "max", candidates, (1, 2, 3), runs)
        >>> print(found.with_test([{"test_accuracy": 0.86 + seed / 100} for seed in (1, 2, 3)]))
        net: val_accuracy over 3 fresh seeds, mean and 95% interval (higher is better)
        1. 0.8840 [0.8568, 0.9066]  better than the next  width=64
        2. 0.8280 [0.8017, 0.8514]  width=8
        test, of the first alone: test_accuracy 0.8800 [0.8529, 0.9027]
    """
    _check(candidates, seeds, metric)
    values = np.array([[_value(metrics, metric) for metrics in of_one] for of_one in runs]).T
    if np.isnan(values).all():
        names = ", ".join(sorted({name for of_one in runs for metrics in of_one for name in metrics}))
        raise InputError(f"metric must be one that a run gives; received {metric!r}, and there are {names}.")
    ranked = _ranked(candidates, values, 1.0 if direction == "max" else -1.0, metric_bounds(metric))
    return SeedComparison(recipe, metric, direction, tuple(seeds), ranked)


def _check(candidates: Sequence[Mapping[str, Any]], seeds: Sequence[int], metric: str) -> None:
    if not candidates:
        raise InputError("candidates must be the arguments of one trial or more; received none.")
    if len(set(seeds)) < max(2, len(seeds)):
        raise InputError(f"seeds must be two different ones or more; received {list(seeds)}.")
    if metric.startswith("test_"):
        raise InputError(
            f"metric must be of validation data, since test data chooses nothing; received {metric!r}."
        )


def _value(metrics: Mapping[str, float], metric: str) -> float:
    value = float(metrics.get(metric, math.nan))
    return value if math.isfinite(value) else math.nan


def _ranked(
    candidates: Sequence[Mapping[str, Any]], values: np.ndarray, sign: float, bounds: Bounds
) -> tuple[Candidate, ...]:
    """Return candidates by values (seeds, candidates), best mean first, each compared with the next."""
    estimates = [Estimate.of(column, bounds=bounds) for column in values.T.tolist()]

    def worth(place: int) -> float:
        mean = estimates[place].mean
        return math.inf if math.isnan(mean) else -sign * mean

    order = sorted(range(len(candidates)), key=worth)
    following = [*order[1:], None]
    return tuple(
        Candidate(
            place,
            dict(candidates[place]),
            tuple(values[:, place].tolist()),
            estimates[place],
            None if after is None else Estimate.of((sign * (values[:, place] - values[:, after])).tolist()),
        )
        for place, after in zip(order, following, strict=True)
    )

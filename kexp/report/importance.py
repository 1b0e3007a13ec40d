"""How much of the differences in score each searched argument accounts for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.search import Dimension, label
from kexp.report.sweep_record import SweepRecord, TrialRecord, fences

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.ensemble import RandomForestRegressor

FEWEST = 10  # completed trials
_FORESTS, _TREES = 8, 32
_POINTS = 1024
_ABSENT = -1.0  # below every position, so that one split of a tree sets it apart


@dataclass(frozen=True)
class Importance:
    """Shares of the variance of the score over the search space.

    Attributes:
        total: By argument, largest first, from 0 to 1: what it accounts for alone and together with others.
            These add up to more than 1 where arguments act together. Empty when there is a `reason`.
        alone: By argument: what it accounts for whatever the others are.
        spread: By argument: standard deviation of `total` over resamples of the trials.
        explained: How much of the differences between trials a forest predicts that has not seen them, at
            most 1; the shares are of this part.
        reason: Why there are no shares, or empty.
    """

    total: dict[str, float] = field(default_factory=dict)
    alone: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    explained: float = math.nan
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return f"importance: {self.reason}"
        lines = [f"{name} {share:.2f} ± {self.spread[name]:.2f}" for name, share in self.total.items()]
        return "\n".join([*lines, f"(of the {self.explained:.0%} that the arguments explain)"])

    def to_frame(self) -> pd.DataFrame:
        """Return a row per argument, most important first."""
        import pandas as pd

        columns = {"total": self.total, "alone": self.alone, "spread": self.spread}
        return pd.DataFrame(columns, index=pd.Index(list(self.total), name="argument"))


def importance(record: SweepRecord, seed: int = 0) -> Importance:
    """Return what each searched argument does to the objective, by functional ANOVA of random forests.

    A forest is fitted to the completed trials: ranges on their own scale, choices by position, and an
    argument that does not count as a level of its own. Its variance over the whole search space (not over
    the trials, which an algorithm may have drawn together) is then split among the arguments by Sobol's
    indices. All is repeated for eight resamples of the trials.
    Scores that are far out count as the nearest that is not.

    Args:
        record: The sweep.
        seed: Of the resamples, the forests and the points, default 0; the same seed gives the same shares.

    Returns:
        Shares with their spread, or none and the reason: fewer than 10 completed trials, nothing searched,
        equal scores, or differences that the arguments do not explain.

    Source:
        Hutter, Hoos and Leyton-Brown, An Efficient Approach for Assessing Hyperparameter Importance, ICML
        2014; Saltelli et al., Variance based sensitivity analysis of model output, 2010.

    Example:
        >>> from kexp.core.search import Dimension, TrialState
        >>> from kexp.report.sweep_record import SweepRecord, TrialRecord
        >>> arguments = [{"rate": number / 50, "width": number * 7 % 50} for number in range(50)]
        >>> trials = tuple(
        ...     TrialRecord(number, TrialState.COMPLETED, values, score=values["rate"] ** 2)
        ...     for number, values in enumerate(arguments)
        ... )
        >>> searched = (Dimension("rate", "float", 0.0, 1.0), Dimension("width", "int", 0, 49))
        >>> found = importance(SweepRecord("net", "loss", "min", "random", trials, searched))
        >>> list(found.total), found.total["rate"] > 0.9
        (['rate', 'width'], True)
        >>> str(importance(SweepRecord("net", "loss", "min", "random", trials[:5], searched)))
        'importance: 5 trials have completed, and it takes 10 to tell.'
    """
    ranked = [trial for trial in record.trials if trial.ranked]
    if not record.searched:
        return Importance(reason="nothing was searched.")
    if len(ranked) < FEWEST:
        return Importance(reason=f"{len(ranked)} trials have completed, and it takes {FEWEST} to tell.")
    scores = _scores(ranked)
    if np.ptp(scores) == 0.0:
        return Importance(reason="all scores are equal.")
    inputs = np.array([_encoded(record.searched, trial.arguments) for trial in ranked])
    explained = _explained(inputs, scores, seed)
    if not explained > 0.0:
        return Importance(
            reason="the arguments do not explain the differences between the trials.", explained=explained
        )
    generator = np.random.default_rng(seed)
    pairs = [_resampled(record.searched, inputs, scores, generator) for _ in range(_FORESTS)]
    return _summary(record.searched, np.array(pairs), explained)


def _summary(searched: tuple[Dimension, ...], pairs: np.ndarray, explained: float) -> Importance:
    """Return means and spread of pairs (resamples, 2, arguments) of total and own shares."""
    (total, alone), spread = pairs.mean(axis=0), pairs[:, 0].std(axis=0, ddof=1)
    # An estimate of what is 0 or 1 may come out a little beside it.
    total = np.clip(total, 0.0, 1.0)
    alone = np.clip(alone, 0.0, total)
    order = np.argsort(-total, kind="stable")

    def by_name(values: np.ndarray) -> dict[str, float]:
        return {searched[number].name: float(values[number]) for number in order}

    return Importance(by_name(total), by_name(alone), by_name(spread), explained)


def _scores(trials: list[TrialRecord]) -> np.ndarray:
    scores = [float(trial.score or 0.0) for trial in trials]
    return np.clip(scores, *fences(scores))


def _encoded(searched: tuple[Dimension, ...], arguments: dict[str, Any]) -> list[float]:
    """Return the position of each argument, or the level of the absent ones."""
    positions = [
        argument.position(arguments[argument.name]) if argument.name in arguments else math.nan
        for argument in searched
    ]
    return [_ABSENT if math.isnan(position) else position for position in positions]


def _forest(seed: int, trees: int, *, out_of_bag: bool = False) -> RandomForestRegressor:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(trees, min_samples_leaf=2, random_state=seed, n_jobs=1, oob_score=out_of_bag)


def _explained(inputs: np.ndarray, scores: np.ndarray, seed: int) -> float:
    """Return R² of what trees predict for the trials that they were not fitted to."""
    forest = _forest(seed, 4 * _TREES, out_of_bag=True).fit(inputs, scores)
    return float(forest.oob_score_)


def _resampled(
    searched: tuple[Dimension, ...], inputs: np.ndarray, scores: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return total and own shares by a forest of a resample of the trials."""
    rows = generator.integers(len(scores), size=len(scores))
    forest = _forest(int(generator.integers(2**31)), _TREES).fit(inputs[rows], scores[rows])
    return _shares(searched, forest, generator)


def _shares(
    searched: tuple[Dimension, ...], forest: RandomForestRegressor, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    # Conditions make arguments depend on one another, so what varies is not the arguments but the
    # independent draws that they are made from.
    from scipy.stats import sobol_indices, uniform

    def outputs(draws: np.ndarray) -> np.ndarray:
        return forest.predict(_points(searched, draws.T))[None]

    with np.errstate(invalid="ignore", divide="ignore"):  # of a resample whose scores are all equal
        found = sobol_indices(func=outputs, n=_POINTS, dists=[uniform()] * len(searched), rng=generator)
    total, alone = (np.nan_to_num(shares).reshape(-1) for shares in (found.total_order, found.first_order))
    return total, alone


def _points(searched: tuple[Dimension, ...], draws: np.ndarray) -> np.ndarray:
    """Return encoded points of the space (points, arguments) for draws from 0 to 1."""
    columns: dict[str, np.ndarray] = {}
    for number, argument in enumerate(searched):
        column = draws[:, number]
        if argument.kind == "choice":
            levels = len(argument.choices)
            column = np.floor(column * levels) / max(levels - 1, 1)
        columns[argument.name] = np.where(_counts(argument, searched, columns), column, _ABSENT)
    return np.stack(list(columns.values()), axis=1)


def _counts(
    argument: Dimension, searched: tuple[Dimension, ...], columns: dict[str, np.ndarray]
) -> np.ndarray | bool:
    """Return at which points an argument counts, given the positions of those before it."""
    if argument.condition is None or argument.condition[0] not in columns:
        return True
    parent = next(other for other in searched if other.name == argument.condition[0])
    wanted = {label(value) for value in argument.condition[1]}
    positions = [parent.position(choice) for choice in parent.choices if label(choice) in wanted]
    return np.isin(np.round(columns[parent.name], 9), np.round(positions, 9))

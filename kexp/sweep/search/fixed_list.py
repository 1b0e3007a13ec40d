"""Random and grid search: a list of all trials, whatever comes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from kexp.core.search import Dimension
from kexp.sweep.search.algorithm import NoProposal, Proposal, spread_seed
from kexp.sweep.search.oracles import create_trial, decoded, end_trial, make_oracle

GRID_POINTS = 5


class FixedList:
    """Proposes what stands in a list, in that order, whatever comes of it.

    Args:
        values: Returns the list for so many trials in all; a longer one begins with a shorter one.
    """

    order_matters = False

    def __init__(self, values: Callable[[int], Sequence[dict[str, Any]]]) -> None:
        self._values = values
        self._listed: Sequence[dict[str, Any]] = ()
        self._trials = self._asked = 0

    def ask(self, trials: int) -> Proposal | NoProposal:
        if trials > self._trials:
            self._listed, self._trials = self._values(trials), trials
        if self._asked >= min(trials, len(self._listed)):
            return "done"
        self._asked += 1
        return Proposal(self._asked - 1, self._listed[self._asked - 1])

    def replay(self, trials: int, values: dict[str, Any] | None) -> None:
        self._asked += values is not None

    def tell(self, number: int, score: float | None) -> None:
        """What comes next does not depend on results."""

    def may_continue(self) -> set[int]:
        return set()


def draw(name: str, dimensions: Sequence[Dimension], seed: int, trials: int) -> list[dict[str, Any]]:
    """Return the values of all trials of an algorithm that looks at no results.

    Args:
        name: "random": trial k is what KerasTuner's oracle draws k-th. "grid": every combination, of a range
            `GRID_POINTS` numbers, in the order of the dimensions.
        dimensions: What to search.
        seed: Of the random ones, 0 or more.
        trials: How many at most.

    Example:
        >>> draw("grid", [Dimension("units", "choice", choices=(8, 16))], 0, 5)
        [{'units': 8}, {'units': 16}]
    """
    kind = "RandomSearchOracle"
    if name == "grid":
        kind = "GridSearchOracle"
        dimensions = [replace(d, kind="choice", choices=d.points(GRID_POINTS)) for d in dimensions]
    oracle = make_oracle(kind, dimensions, spread_seed(seed), max_trials=None)
    values: list[dict[str, Any]] = []
    while len(values) < trials and (trial := create_trial(oracle, "kexp")).status == "RUNNING":
        # Ended at once: GridSearchOracle proposes by the order in which trials end, and waits for them.
        end_trial(oracle, trial, 0.0)
        values.append(decoded(dimensions, trial.hyperparameters.values))
    return values

"""Bayesian search by a Gaussian process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kexp.core.search import Dimension
from kexp.sweep.search.algorithm import NoProposal, OracleSearch, Proposal, spread_seed
from kexp.sweep.search.oracles import create_trial, encoded, inject, make_oracle


class Bayesian(OracleSearch):
    """A Gaussian process, fitted anew for each proposal to all that is known by then.

    A trial that is still running counts as the mean of those that have ended, and one that failed as the
    worst of them: KerasTuner's own guess for running trials is made by the fit before and is lost with the
    process, and it passes over failed ones, so that it may propose them again and again.
    """

    def __init__(self, dimensions: Sequence[Dimension], seed: int) -> None:
        super().__init__(dimensions, seed)
        self.known: dict[int, tuple[dict[str, Any], float | None, bool]] = {}
        # KerasTuner's own number of random trials to begin with, but not so many that nothing is left.
        self.first = min(3 * max(1, len(dimensions)), 10)

    def ask(self, trials: int) -> Proposal | NoProposal:
        if self.asked >= trials:
            return "done"
        oracle = make_oracle(
            "BayesianOptimizationOracle",
            self.dimensions,
            spread_seed(self.seed, self.asked),
            num_initial_points=self.first,
            max_trials=None,
        )
        scores = [score for _, score, over in self.known.values() if over and score is not None]
        for values, score, over in self.known.values():
            guess = float(np.mean(scores)) if not over else min(scores, default=0.0)
            known = {d.name: encoded(d, values[d.name]) for d in self.dimensions if d.name in values}
            inject(oracle, known, guess if score is None else score)
        trial = create_trial(oracle, "kexp")
        if trial.status != "RUNNING":
            return "done"
        values = self.values_of(trial)
        self.known[self.asked] = (values, None, False)
        self.asked += 1
        return Proposal(self.asked - 1, values)

    def tell(self, number: int, score: float | None) -> None:
        self.known[number] = (self.known[number][0], score, True)

    def replay(self, trials: int, values: dict[str, Any] | None) -> None:
        if values is not None:  # as `ask`, without the seconds that a fit takes
            self.known[self.asked] = (values, None, False)
            self.asked += 1

"""Hyperband: many trials of few epochs, of which the best go on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from kexp.core.search import Dimension
from kexp.sweep.search.algorithm import NoProposal, OracleSearch, Proposal, spread_seed
from kexp.sweep.search.oracles import create_trial, end_trial, make_oracle

_FACTOR = 3


class Hyperband(OracleSearch):
    """Brackets of successive halving; who is promoted goes on with its own run.

    Where the trials end within a bracket, the missing ones count as worse than all others, as failed ones do,
    so that it is halved all the same.
    """

    def __init__(self, dimensions: Sequence[Dimension], seed: int, epochs: int) -> None:
        super().__init__(dimensions, seed)
        self.oracle = make_oracle(
            "HyperbandOracle",
            self.dimensions,
            spread_seed(seed),
            max_epochs=epochs,
            factor=_FACTOR,
            hyperband_iterations=0,
        )
        self.running: dict[int, Any] = {}
        self.numbers: dict[str, int] = {}  # of our trials, by the oracle's, which has one for each round
        self.calls = 0
        self.lost = {-1}  # trials without a figure, which fill the place of a very bad one
        self.bracket = (0, -1)  # of the newest trial

    def ask(self, trials: int) -> Proposal | NoProposal:
        while True:
            self.calls += 1
            trial = create_trial(self.oracle, f"kexp-{self.calls}")
            if trial.status != "RUNNING":
                return "wait" if self.running else "done"
            values = trial.hyperparameters.values
            parent = values.get("tuner/trial_id")
            if parent is not None and self.numbers.get(parent, -1) not in self.lost:
                return self._proposal(self.numbers[parent], trial)
            if parent is None and self.asked < trials:
                self.asked += 1
                self.bracket = self._newest_bracket()
                return self._proposal(self.asked - 1, trial)
            end_trial(self.oracle, trial, -math.inf)
            if parent is None and (self.asked == 0 or self._newest_bracket() != self.bracket):
                return "wait" if self.running else "done"

    def tell(self, number: int, score: float | None) -> None:
        if score is None:
            self.lost.add(number)
        # KerasTuner would wait for ever for the figure of a failed one.
        end_trial(self.oracle, self.running.pop(number), -math.inf if score is None else score)

    def may_continue(self) -> set[int]:
        left: set[int] = set()
        for bracket in self.oracle.get_state()["brackets"]:
            rounds = bracket["rounds"]
            for before, after in itertools.pairwise(rounds):
                chosen = {entry["past_id"] for entry in after}
                waiting = {entry["id"] for entry in before} - chosen
                left |= {self.numbers[name] for name in waiting if name in self.numbers}
        return left

    def _newest_bracket(self) -> tuple[int, int]:
        state = self.oracle.get_state()
        return state["current_iteration"], state["current_bracket"]

    def _proposal(self, number: int, trial: Any) -> Proposal:
        self.numbers[trial.trial_id] = number
        self.running[number] = trial
        return Proposal(number, self.values_of(trial), trial.hyperparameters.values["tuner/epochs"])

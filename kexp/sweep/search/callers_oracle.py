"""Search by a KerasTuner oracle of the caller's own."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from kexp.core.errors import InputError, shown
from kexp.core.search import Dimension
from kexp.sweep.metadata import Target
from kexp.sweep.search.algorithm import NoProposal, OracleSearch, Proposal
from kexp.sweep.search.oracles import (
    create_trial,
    end_trial,
    hyperparameters_of,
    quieted,
    score_objective,
)


def oracle_target(oracle: Any) -> Target | None:
    """Return what an oracle optimises, None if its caller has left that out.

    Raises:
        InputError: It is no oracle, or optimises several metrics at a time.

    Example:
        >>> from kexp.sweep.search.oracles import keras_tuner
        >>> objective = keras_tuner().Objective("val_my_error", "min")
        >>> oracle_target(keras_tuner().oracles.RandomSearchOracle(objective=objective, max_trials=3))
        Target(name='val_my_error', mode='min')
    """
    if not all(hasattr(oracle, name) for name in ("objective", "hyperparameters", "create_trial", "trials")):
        raise InputError(f"oracle must be an oracle of keras_tuner.oracles; received {shown(oracle)}.")
    objective = oracle.objective
    if hasattr(objective, "objectives"):
        names = ", ".join(one.name for one in objective.objectives)
        raise InputError(f"oracle must have one objective; received {names}, so leave all but one out.")
    if objective.name == "default_objective":
        return None
    return Target(objective.name, objective.direction)


class CallersOracle(OracleSearch):
    """An oracle of the caller's, told in the order in which trials end.

    Args:
        dimensions: What to search.
        oracle: A new one, which is copied.
        own_objective: Whether the metric that it is made for is what the sweep optimises; otherwise it is to
            maximise the score.

    Raises:
        InputError: The oracle has been asked before, or has hyperparameters of its own.
    """

    def __init__(self, dimensions: Sequence[Dimension], oracle: Any, *, own_objective: bool = False) -> None:
        super().__init__(dimensions, 0)
        if oracle.trials:
            raise InputError("oracle must be a new one; it has given trials before, so make another.")
        self.oracle = quieted(copy.deepcopy(oracle))
        if oracle.hyperparameters.space:
            raise InputError("oracle must be without hyperparameters of its own, which the recipe gives it.")
        self.oracle.hyperparameters = hyperparameters_of(self.dimensions)
        if not own_objective:
            self.oracle.objective = score_objective()
        self.oracle.max_trials = None
        self.running: dict[int, Any] = {}

    def ask(self, trials: int) -> Proposal | NoProposal:
        if self.asked >= trials:
            return "done"
        trial = create_trial(self.oracle, f"kexp-{self.asked}")
        if trial.status != "RUNNING":
            return "wait" if trial.status == "IDLE" and self.running else "done"
        self.running[self.asked] = trial
        self.asked += 1
        return Proposal(
            self.asked - 1, self.values_of(trial), trial.hyperparameters.values.get("tuner/epochs")
        )

    def tell(self, number: int, score: float | None) -> None:
        end_trial(self.oracle, self.running.pop(number), score)

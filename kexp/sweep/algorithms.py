"""KerasTuner's oracles, which the coordinator alone asks and tells, and rebuilds from the record of that."""

from __future__ import annotations

import copy
import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from kexp.core.errors import InputError
from kexp.sweep.oracles import (
    asked,
    decoded,
    encoded,
    ended,
    hyperparameters_of,
    injected,
    keras_tuner,
    objective,
    quieted,
)
from kexp.sweep.space import Dimension, Space

AlgorithmName = Literal["random", "bayesian", "hyperband", "grid"]
GRID_POINTS = 5
ROUND = 4  # proposals of a synchronous round, whatever the number of workers
_FACTOR = 3


@dataclass(frozen=True)
class Proposal:
    """What to run next.

    Attributes:
        number: A new trial, or one that goes on with more epochs.
        values: By dimension.
        epochs: Epochs in all, or None for those of the recipe.
    """

    number: int
    values: dict[str, Any]
    epochs: int | None = None


class Algorithm(Protocol):
    """Proposes trials. Called in the same order it proposes the same."""

    order_matters: bool

    def ask(self, trials: int) -> Proposal | Literal["wait", "done"]:
        """Return what to run next, of so many trials in all."""

    def again(self, trials: int, values: dict[str, Any] | None) -> None:
        """Repeat an `ask` of which the answer is known: values, or None for no new trial."""

    def tell(self, number: int, score: float | None) -> None:
        """Take in how a trial ended: the figure to maximise, or None when there is none."""

    def may_continue(self) -> set[int]:
        """Return the ended trials that may still be asked to go on."""


def algorithm_for(name: AlgorithmName, space: Space, seed: int, epochs: int, oracle: Any = None) -> Algorithm:
    """Return an algorithm that has not been asked yet.

    Args:
        name: "random", "bayesian", "hyperband" or "grid"; unused with an oracle.
        space: What to search.
        seed: Governs all proposals, 0 or more.
        epochs: Of a full run, for hyperband.
        oracle: A KerasTuner oracle of the caller's own.
    """
    if oracle is not None:
        return _OwnOracle(space.dimensions, oracle)
    if name == "bayesian":
        return _Bayesian(space.dimensions, seed)
    if name == "hyperband":
        return _Hyperband(space.dimensions, seed, epochs)
    return Listed(functools.partial(drawn, name, space.dimensions, seed))


class Listed:
    """Proposes what stands in a list, in that order, whatever comes of it.

    Args:
        values: Returns the list for so many trials in all; a longer one begins with a shorter one.
    """

    order_matters = False

    def __init__(self, values: Callable[[int], Sequence[dict[str, Any]]]) -> None:
        self._values = values
        self._listed: Sequence[dict[str, Any]] = ()
        self._trials = self._asked = 0

    def ask(self, trials: int) -> Proposal | Literal["wait", "done"]:
        if trials > self._trials:
            self._listed, self._trials = self._values(trials), trials
        if self._asked >= min(trials, len(self._listed)):
            return "done"
        self._asked += 1
        return Proposal(self._asked - 1, self._listed[self._asked - 1])

    def again(self, trials: int, values: dict[str, Any] | None) -> None:
        self._asked += values is not None

    def tell(self, number: int, score: float | None) -> None:
        """What comes next does not depend on results."""

    def may_continue(self) -> set[int]:
        return set()


def drawn(name: str, dimensions: Sequence[Dimension], seed: int, trials: int) -> list[dict[str, Any]]:
    """Return the values of all trials of an algorithm that looks at no results.

    Args:
        name: "random": trial k is what KerasTuner's oracle draws k-th. "grid": every combination, of a range
            `GRID_POINTS` numbers, in the order of the dimensions.
        dimensions: What to search.
        seed: Of the random ones, 0 or more.
        trials: How many at most.

    Example:
        >>> drawn("grid", [Dimension("units", "choice", choices=(8, 16))], 0, 5)
        [{'units': 8}, {'units': 16}]
    """
    kind = "RandomSearchOracle"
    if name == "grid":
        kind = "GridSearchOracle"
        dimensions = [replace(d, kind="choice", choices=d.points(GRID_POINTS)) for d in dimensions]
    oracle = _oracle(kind, dimensions, _spread(seed), max_trials=None)
    values: list[dict[str, Any]] = []
    while len(values) < trials and (trial := asked(oracle, "kexp")).status == "RUNNING":
        # Ended at once: GridSearchOracle proposes by the order in which trials end, and waits for them.
        ended(oracle, trial, 0.0)
        values.append(decoded(dimensions, trial.hyperparameters.values))
    return values


class _Search:
    """Talks to an oracle in our numbers and values, and tells it of results."""

    order_matters = True

    def __init__(self, dimensions: Sequence[Dimension], seed: int) -> None:
        self.dimensions = dimensions
        self.seed = seed
        self.asked = 0

    def again(self, trials: int, values: dict[str, Any] | None) -> None:
        self.ask(trials)

    def may_continue(self) -> set[int]:
        return set()

    def ask(self, trials: int) -> Proposal | Literal["wait", "done"]:
        raise NotImplementedError

    def tell(self, number: int, score: float | None) -> None:
        raise NotImplementedError

    def _values(self, trial: Any) -> dict[str, Any]:
        """Return an oracle's values as ours."""
        return decoded(self.dimensions, trial.hyperparameters.values)


class _Bayesian(_Search):
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

    def ask(self, trials: int) -> Proposal | Literal["wait", "done"]:
        if self.asked >= trials:
            return "done"
        oracle = _oracle(
            "BayesianOptimizationOracle",
            self.dimensions,
            _spread(self.seed, self.asked),
            num_initial_points=self.first,
            max_trials=None,
        )
        scores = [score for _, score, over in self.known.values() if over and score is not None]
        for values, score, over in self.known.values():
            guess = float(np.mean(scores)) if not over else min(scores, default=0.0)
            known = {d.name: encoded(d, values[d.name]) for d in self.dimensions if d.name in values}
            injected(oracle, known, guess if score is None else score)
        trial = asked(oracle, "kexp")
        if trial.status != "RUNNING":
            return "done"
        values = self._values(trial)
        self.known[self.asked] = (values, None, False)
        self.asked += 1
        return Proposal(self.asked - 1, values)

    def tell(self, number: int, score: float | None) -> None:
        self.known[number] = (self.known[number][0], score, True)

    def again(self, trials: int, values: dict[str, Any] | None) -> None:
        if values is not None:  # as `ask`, without the seconds that a fit takes
            self.known[self.asked] = (values, None, False)
            self.asked += 1


class _OwnOracle(_Search):
    """An oracle of the caller's, told in the order in which trials end."""

    def __init__(self, dimensions: Sequence[Dimension], oracle: Any) -> None:
        super().__init__(dimensions, 0)
        if oracle.trials:
            raise InputError(
                "oracle must be a new one; it has been asked for trials before, so make another."
            )
        self.oracle = quieted(copy.deepcopy(oracle))
        if oracle.hyperparameters.space:
            raise InputError("oracle must be without hyperparameters of its own, which the recipe gives it.")
        self.oracle.hyperparameters = hyperparameters_of(self.dimensions)
        self.oracle.objective = objective()
        self.oracle.max_trials = None
        self.running: dict[int, Any] = {}

    def ask(self, trials: int) -> Proposal | Literal["wait", "done"]:
        if self.asked >= trials:
            return "done"
        trial = asked(self.oracle, f"kexp-{self.asked}")
        if trial.status != "RUNNING":
            return "wait" if trial.status == "IDLE" and self.running else "done"
        self.running[self.asked] = trial
        self.asked += 1
        return Proposal(self.asked - 1, self._values(trial), trial.hyperparameters.values.get("tuner/epochs"))

    def tell(self, number: int, score: float | None) -> None:
        ended(self.oracle, self.running.pop(number), score)


class _Hyperband(_Search):
    """Brackets of successive halving; who is promoted goes on with its own run.

    Where the trials end within a bracket, the missing ones count as worse than all others, as failed ones do,
    so that it is halved all the same.
    """

    def __init__(self, dimensions: Sequence[Dimension], seed: int, epochs: int) -> None:
        super().__init__(dimensions, seed)
        self.oracle = _oracle(
            "HyperbandOracle",
            self.dimensions,
            _spread(seed),
            max_epochs=epochs,
            factor=_FACTOR,
            hyperband_iterations=0,
        )
        self.running: dict[int, Any] = {}
        self.numbers: dict[str, int] = {}  # of our trials, by the oracle's, which has one for each round
        self.calls = 0
        self.lost = {-1}  # trials without a figure, which fill the place of a very bad one
        self.bracket = (0, -1)  # of the newest trial

    def ask(self, trials: int) -> Proposal | Literal["wait", "done"]:
        while True:
            self.calls += 1
            trial = asked(self.oracle, f"kexp-{self.calls}")
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
            ended(self.oracle, trial, -math.inf)
            if parent is None and (self.asked == 0 or self._newest_bracket() != self.bracket):
                return "wait" if self.running else "done"

    def tell(self, number: int, score: float | None) -> None:
        if score is None:
            self.lost.add(number)
        # KerasTuner would wait for ever for the figure of a failed one.
        ended(self.oracle, self.running.pop(number), -math.inf if score is None else score)

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
        return Proposal(number, self._values(trial), trial.hyperparameters.values["tuner/epochs"])


def _oracle(kind: str, dimensions: Sequence[Dimension], seed: int, **arguments: Any) -> Any:
    made = getattr(keras_tuner().oracles, kind)(
        objective=objective(), hyperparameters=hyperparameters_of(dimensions), seed=seed, **arguments
    )
    return quieted(made)


def _spread(seed: int, number: int = 0) -> int:
    """Return a seed far from those of other sweeps: KerasTuner counts up from it, and takes 0 for none."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1) or 1

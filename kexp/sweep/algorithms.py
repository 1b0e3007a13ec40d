"""KerasTuner's oracles, which the coordinator alone asks and tells, and rebuilds from the record of that."""

from __future__ import annotations

import copy
import itertools
import math
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import threadpoolctl

from kexp.errors import InputError
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
        return _OwnOracle(space, oracle)
    kinds: dict[str, Callable[..., Algorithm]] = {
        "random": _Random,
        "grid": _Grid,
        "bayesian": _Bayesian,
        "hyperband": _Hyperband,
    }
    return kinds[name](space, seed, epochs)


def keras_tuner() -> Any:
    """Return KerasTuner, whose own warnings on import are none of the caller's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras_tuner

        return keras_tuner


class _Search:
    """Talks to an oracle in our numbers and values."""

    order_matters = False

    def __init__(self, space: Space, seed: int, epochs: int = 0) -> None:
        self.space = space
        self.seed = seed
        self.epochs = epochs
        self.asked = 0

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        return self.space.dimensions

    def again(self, trials: int, values: dict[str, Any] | None) -> None:
        self.ask(trials)

    def may_continue(self) -> set[int]:
        return set()

    def ask(self, trials: int) -> Proposal | Literal["wait", "done"]:
        raise NotImplementedError

    def tell(self, number: int, score: float | None) -> None:
        """These do not look at results."""

    def _oracle(self, kind: str, seed: int, **arguments: Any) -> Any:
        made = getattr(keras_tuner().oracles, kind)(
            objective=_objective(), hyperparameters=_hyperparameters(self.dimensions), seed=seed, **arguments
        )
        return quieted(made)

    def _values(self, trial: Any) -> dict[str, Any]:
        """Return an oracle's values as ours."""
        return decoded(self.dimensions, trial.hyperparameters.values)


class _Random(_Search):
    """Trial k is what the oracle draws k-th; no result is ever told to it."""

    kind = "RandomSearchOracle"

    def __init__(self, space: Space, seed: int, epochs: int = 0) -> None:
        super().__init__(space, seed, epochs)
        self.oracle = self._oracle(self.kind, _spread(seed), max_trials=None)

    def ask(self, trials: int) -> Proposal | Literal["wait", "done"]:
        if self.asked >= trials:
            return "done"
        trial = _asked(self.oracle, "kexp")
        if trial.status != "RUNNING":
            return "done"
        # Ended at once: GridSearchOracle proposes by the order in which trials end, and waits for them.
        _ended(self.oracle, trial, 0.0)
        self.asked += 1
        return Proposal(self.asked - 1, self._values(trial))


class _Grid(_Random):
    """Every combination, of a range `GRID_POINTS` numbers, in the order of the dimensions."""

    kind = "GridSearchOracle"

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        return tuple(replace(d, kind="choice", choices=d.points(GRID_POINTS)) for d in self.space.dimensions)


class _Bayesian(_Search):
    """A Gaussian process, fitted anew for each proposal to all that is known by then.

    A trial that is still running counts as the mean of those that have ended, and one that failed as the
    worst of them: KerasTuner's own guess for running trials is made by the fit before and is lost with the
    process, and it passes over failed ones, so that it may propose them again and again.
    """

    order_matters = True

    def __init__(self, space: Space, seed: int, epochs: int = 0) -> None:
        super().__init__(space, seed, epochs)
        self.known: dict[int, tuple[dict[str, Any], float | None, bool]] = {}
        # KerasTuner's own number of random trials to begin with, but not so many that nothing is left.
        self.first = min(3 * max(1, len(space.dimensions)), 10)

    def ask(self, trials: int) -> Proposal | Literal["wait", "done"]:
        if self.asked >= trials:
            return "done"
        oracle = self._oracle(
            "BayesianOptimizationOracle",
            _spread(self.seed, self.asked),
            num_initial_points=self.first,
            max_trials=None,
        )
        scores = [score for _, score, ended in self.known.values() if ended and score is not None]
        for values, score, ended in self.known.values():
            guess = float(np.mean(scores)) if not ended else min(scores, default=0.0)
            encoded = {d.name: _encoded(d, values[d.name]) for d in self.dimensions if d.name in values}
            _injected(oracle, encoded, guess if score is None else score)
        trial = _asked(oracle, "kexp")
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

    order_matters = True

    def __init__(self, space: Space, oracle: Any) -> None:
        super().__init__(space, 0)
        if oracle.trials:
            raise InputError(
                "oracle must be a new one; it has been asked for trials before, so make another."
            )
        self.oracle = quieted(copy.deepcopy(oracle))
        if oracle.hyperparameters.space:
            raise InputError("oracle must be without hyperparameters of its own, which the recipe gives it.")
        self.oracle.hyperparameters = _hyperparameters(self.dimensions)
        self.oracle.objective = _objective()
        self.oracle.max_trials = None
        self.running: dict[int, Any] = {}

    def ask(self, trials: int) -> Proposal | Literal["wait", "done"]:
        if self.asked >= trials:
            return "done"
        trial = _asked(self.oracle, f"kexp-{self.asked}")
        if trial.status != "RUNNING":
            return "wait" if trial.status == "IDLE" and self.running else "done"
        self.running[self.asked] = trial
        self.asked += 1
        return Proposal(self.asked - 1, self._values(trial), trial.hyperparameters.values.get("tuner/epochs"))

    def tell(self, number: int, score: float | None) -> None:
        _ended(self.oracle, self.running.pop(number), score)


class _Hyperband(_Search):
    """Brackets of successive halving; who is promoted goes on with its own run.

    Where the trials end within a bracket, the missing ones count as worse than all others, as failed ones do,
    so that it is halved all the same.
    """

    order_matters = True

    def __init__(self, space: Space, seed: int, epochs: int = 0) -> None:
        super().__init__(space, seed, epochs)
        self.oracle = self._oracle(
            "HyperbandOracle", _spread(seed), max_epochs=epochs, factor=_FACTOR, hyperband_iterations=0
        )
        self.running: dict[int, Any] = {}
        self.numbers: dict[str, int] = {}  # of our trials, by the oracle's, which has one for each round
        self.calls = 0
        self.lost = {-1}  # trials without a figure, which fill the place of a very bad one
        self.bracket = (0, -1)  # of the newest trial

    def ask(self, trials: int) -> Proposal | Literal["wait", "done"]:
        while True:
            self.calls += 1
            trial = _asked(self.oracle, f"kexp-{self.calls}")
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
            _ended(self.oracle, trial, -math.inf)
            if parent is None and (self.asked == 0 or self._newest_bracket() != self.bracket):
                return "wait" if self.running else "done"

    def tell(self, number: int, score: float | None) -> None:
        if score is None:
            self.lost.add(number)
        # KerasTuner would wait for ever for the figure of a failed one.
        _ended(self.oracle, self.running.pop(number), -math.inf if score is None else score)

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


def quieted(oracle: Any) -> Any:
    """Return an oracle that writes no files, prints nothing and never gives up: the record is the store's."""
    oracle.verbose = 0
    oracle.save = lambda: None
    oracle._save_trial = lambda trial: None
    oracle.max_consecutive_failed_trials = sys.maxsize
    return oracle


def _objective() -> Any:
    return keras_tuner().Objective("score", "max")


def _asked(oracle: Any, tuner: str) -> Any:
    # Ten times slower on several threads, which the small matrices of a Gaussian process wait for, where the
    # workers have the cores.
    with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1):
        warnings.simplefilter("ignore")  # threading.currentThread, and what scikit-learn says of its fits
        return oracle.create_trial(tuner)


def _ended(oracle: Any, trial: Any, score: float | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if score is not None:
            oracle.update_trial(trial.trial_id, {"score": score})
        trial.status = "COMPLETED" if score is not None else "FAILED"
        oracle.end_trial(trial)


def _injected(oracle: Any, values: dict[str, Any], score: float) -> None:
    """Let an oracle know of a trial that it has not proposed."""
    propose = oracle.populate_space
    oracle.populate_space = lambda trial_id: {"status": "RUNNING", "values": values}
    _ended(oracle, _asked(oracle, "kexp"), score)
    oracle.populate_space = propose


def _spread(seed: int, number: int = 0) -> int:
    """Return a seed far from those of other sweeps: KerasTuner counts up from it, and takes 0 for none."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1) or 1


def _hyperparameters(dimensions: Iterable[Dimension]) -> Any:
    hyperparameters = keras_tuner().HyperParameters()
    register(hyperparameters, dimensions)
    return hyperparameters


def register(hyperparameters: Any, dimensions: Iterable[Dimension]) -> None:
    """Add dimensions to KerasTuner's; choices by their text, since it takes neither tuples nor None."""
    known: dict[str, Dimension] = {}
    for dimension in dimensions:
        known[dimension.name] = dimension
        condition: dict[str, Any] = {}
        if dimension.condition is not None:
            parent, values = dimension.condition
            labels = [_encoded(known[parent], value) for value in values if value in known[parent].choices]
            condition = {"parent_name": parent, "parent_values": labels or [""]}
        if dimension.kind == "choice":
            hyperparameters.Choice(dimension.name, _labels(dimension), **condition)
            continue
        number = hyperparameters.Int if dimension.kind == "int" else hyperparameters.Float
        sampling = "log" if dimension.log else "linear"
        # A log scale goes without a step: with one, KerasTuner takes powers of it.
        number(dimension.name, dimension.low, dimension.high, sampling=sampling, **condition)


def decoded(dimensions: Iterable[Dimension], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return KerasTuner's values as ours, by dimension; inactive ones are absent."""
    return {d.name: _decoded(d, values[d.name]) for d in dimensions if d.name in values}


def _labels(dimension: Dimension) -> list[str]:
    texts = [str(choice) for choice in dimension.choices]
    return texts if len({*texts}) == len(texts) else [repr(choice) for choice in dimension.choices]


def _encoded(dimension: Dimension, value: Any) -> Any:
    if dimension.kind != "choice":
        return value
    return _labels(dimension)[dimension.choices.index(tuple(value) if isinstance(value, list) else value)]


def _decoded(dimension: Dimension, value: Any) -> Any:
    if dimension.kind == "choice":
        return dimension.choices[_labels(dimension).index(value)]
    return int(value) if dimension.kind == "int" else float(value)

"""KerasTuner's oracles as we call them: quiet, without files, in our values."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import threadpoolctl

from kexp.core.search import Dimension


def keras_tuner() -> Any:
    """Return KerasTuner, whose own warnings on import are none of the caller's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras_tuner

        return keras_tuner


def quieted(oracle: Any) -> Any:
    """Return an oracle that writes no files, prints nothing and never gives up: the record is the store's."""
    oracle.verbose = 0
    oracle.save = lambda: None
    oracle._save_trial = lambda trial: None
    oracle.max_consecutive_failed_trials = sys.maxsize
    return oracle


def score_objective() -> Any:
    """Return what our own oracles optimise: the score, which is to be maximised."""
    return keras_tuner().Objective("score", "max")


def create_trial(oracle: Any, tuner: str) -> Any:
    """Return the next trial of an oracle, by its status whether there is one."""
    # Ten times slower on several threads, which the small matrices of a Gaussian process wait for, where the
    # workers have the cores.
    with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1):
        warnings.simplefilter("ignore")  # threading.currentThread, and what scikit-learn says of its fits
        return oracle.create_trial(tuner)


def end_trial(oracle: Any, trial: Any, score: float | None) -> None:
    """Tell an oracle how a trial ended: the score to maximise, or None when it failed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if score is not None:
            # An oracle of the caller's may have an objective of its own, and that may be to be minimised.
            value = score if oracle.objective.direction == "max" else -score
            oracle.update_trial(trial.trial_id, {oracle.objective.name: value})
        trial.status = "COMPLETED" if score is not None else "FAILED"
        oracle.end_trial(trial)


def inject(oracle: Any, values: dict[str, Any], score: float) -> None:
    """Let an oracle know of a trial that it has not proposed."""
    propose = oracle.populate_space
    oracle.populate_space = lambda trial_id: {"status": "RUNNING", "values": values}
    end_trial(oracle, create_trial(oracle, "kexp"), score)
    oracle.populate_space = propose


def make_oracle(kind: str, dimensions: Sequence[Dimension], seed: int, **arguments: Any) -> Any:
    """Return a new oracle of KerasTuner's, by the name of its class."""
    made = getattr(keras_tuner().oracles, kind)(
        objective=score_objective(), hyperparameters=hyperparameters_of(dimensions), seed=seed, **arguments
    )
    return quieted(made)


def hyperparameters_of(dimensions: Iterable[Dimension]) -> Any:
    """Return KerasTuner's description of dimensions."""
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
            labels = [encoded(known[parent], value) for value in values if value in known[parent].choices]
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


def encoded(dimension: Dimension, value: Any) -> Any:
    """Return a value of ours as KerasTuner's."""
    if dimension.kind != "choice":
        return value
    return _labels(dimension)[dimension.choices.index(tuple(value) if isinstance(value, list) else value)]


def _decoded(dimension: Dimension, value: Any) -> Any:
    if dimension.kind == "choice":
        return dimension.choices[_labels(dimension).index(value)]
    return int(value) if dimension.kind == "int" else float(value)

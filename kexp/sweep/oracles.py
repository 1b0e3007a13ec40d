"""KerasTuner's oracles as we call them: quiet, without files, in our values."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import threadpoolctl

from kexp.sweep.space import Dimension


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


def objective() -> Any:
    """Return what KerasTuner is told to maximise."""
    return keras_tuner().Objective("score", "max")


def asked(oracle: Any, tuner: str) -> Any:
    """Return a new trial of an oracle."""
    # Ten times slower on several threads, which the small matrices of a Gaussian process wait for, where the
    # workers have the cores.
    with warnings.catch_warnings(), threadpoolctl.threadpool_limits(1):
        warnings.simplefilter("ignore")  # threading.currentThread, and what scikit-learn says of its fits
        return oracle.create_trial(tuner)


def ended(oracle: Any, trial: Any, score: float | None) -> None:
    """Tell an oracle how a trial ended: with a score, or without one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if score is not None:
            oracle.update_trial(trial.trial_id, {"score": score})
        trial.status = "COMPLETED" if score is not None else "FAILED"
        oracle.end_trial(trial)


def injected(oracle: Any, values: dict[str, Any], score: float) -> None:
    """Let an oracle know of a trial that it has not proposed."""
    propose = oracle.populate_space
    oracle.populate_space = lambda trial_id: {"status": "RUNNING", "values": values}
    ended(oracle, asked(oracle, "kexp"), score)
    oracle.populate_space = propose


def hyperparameters_of(dimensions: Iterable[Dimension]) -> Any:
    """Return dimensions as KerasTuner's hyperparameters."""
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
    """Return a value as KerasTuner has it: a choice by its label."""
    if dimension.kind != "choice":
        return value
    return _labels(dimension)[dimension.choices.index(tuple(value) if isinstance(value, list) else value)]


def _decoded(dimension: Dimension, value: Any) -> Any:
    if dimension.kind == "choice":
        return dimension.choices[_labels(dimension).index(value)]
    return int(value) if dimension.kind == "int" else float(value)

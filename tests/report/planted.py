"""Sweeps whose answer is known."""

import math

import numpy as np

from kexp.core.search import Dimension
from kexp.report import SweepRecord, TrialRecord

SPACE = (
    Dimension("learning_rate", "float", 1e-4, 1e-1, log=True),
    Dimension("optimizer", "choice", choices=("adam", "sgd", "rmsprop")),
    Dimension("momentum", "float", 0.0, 1.0, condition=("optimizer", ("sgd",))),
    Dimension("width", "int", 8, 256),
    Dimension("hidden", "choice", choices=((64,), (128, 64))),
)


def drawn(generator):
    """Return arguments drawn from the space, without those that do not count."""
    arguments = {}
    for argument in SPACE:
        share = generator.random()
        if argument.condition is None or arguments[argument.condition[0]] in argument.condition[1]:
            arguments[argument.name] = argument.value(share)
    return arguments


def planted(count, score, *, direction="max", noise=0.01, seed=0):
    """Return a sweep of completed trials whose score is a function of their arguments."""
    generator = np.random.default_rng(seed)
    trials = []
    for number in range(count):
        arguments = drawn(generator)
        value = float(score(arguments) + noise * generator.standard_normal())
        trials.append(TrialRecord(number, "completed", arguments, value))
    return SweepRecord("net", "val_accuracy", direction, "random", tuple(trials), SPACE)


def lively(count, *, epochs=20, seed=0):
    """Return a sweep with learning curves, errors and trials that were given up."""
    generator = np.random.default_rng(seed)
    trials = []
    for number in range(count):
        arguments = drawn(generator)
        level = 0.95 - 0.05 * (math.log10(arguments["learning_rate"]) + 2.5) ** 2
        state = ("failed", "pruned", *["completed"] * 8)[number % 10]
        lasted = epochs if state == "completed" else 1 + number // 10 % epochs
        curve = level * (1 - np.exp(-np.arange(1, lasted + 1) / 5)) + 0.01 * generator.standard_normal(lasted)
        trials.append(
            TrialRecord(
                number,
                state,
                arguments,
                score=float(curve[-1]) if state == "completed" else None,
                history={"val_accuracy": curve.tolist(), "val_loss": (1.0 - curve).tolist()},
                seconds=float(lasted),
                bytes=1_000_000,
                error=None if state == "completed" else f"Traceback\nValueError: trial {number} went wrong",
            )
        )
    return SweepRecord("net", "val_accuracy", "max", "random", tuple(trials), SPACE)

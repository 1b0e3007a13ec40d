"""The search algorithms by their names."""

from __future__ import annotations

import functools
from typing import Any, Literal

from kexp.sweep.search.algorithm import Algorithm
from kexp.sweep.search.bayesian import Bayesian
from kexp.sweep.search.callers_oracle import CallersOracle
from kexp.sweep.search.fixed_list import FixedList, draw
from kexp.sweep.search.hyperband import Hyperband
from kexp.sweep.space.space import Space

AlgorithmName = Literal["random", "bayesian", "hyperband", "grid"]


def algorithm_for(
    name: AlgorithmName,
    space: Space,
    seed: int,
    epochs: int,
    oracle: Any = None,
    *,
    own_objective: bool = False,
) -> Algorithm:
    """Return an algorithm that has not been asked yet.

    Args:
        name: "random", "bayesian", "hyperband" or "grid"; unused with an oracle.
        space: What to search.
        seed: Governs all proposals, 0 or more.
        epochs: Of a full run, for hyperband.
        oracle: A KerasTuner oracle of the caller's own.
        own_objective: Whether the sweep optimises what that oracle is made for.
    """
    if oracle is not None:
        return CallersOracle(space.dimensions, oracle, own_objective=own_objective)
    if name == "bayesian":
        return Bayesian(space.dimensions, seed)
    if name == "hyperband":
        return Hyperband(space.dimensions, seed, epochs)
    return FixedList(functools.partial(draw, name, space.dimensions, seed))

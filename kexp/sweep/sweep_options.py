"""The plain options of a call of `kexp.sweep`, checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from kexp.core.constraints import AtLeast, Count, Seed, check_value
from kexp.core.errors import InputError
from kexp.data.folds import FoldPlan
from kexp.sweep.budget import parse_budget
from kexp.sweep.executors.executor_choice import ExecutorChoice
from kexp.sweep.search.algorithms import AlgorithmName

# Of those that a command line can write down, which is all but resources.
OPTION_TYPES: dict[str, Any] = {
    "trials": Annotated[int, AtLeast(1, most=100_000)],
    "workers": Count,
    "algorithm": AlgorithmName,
    "objective": str | None,
    "seed": Seed,
    "budget": str | None,
    "keep": Count,
    "prune": Literal["median"] | None,
    "seeds_for_top": Annotated[int, AtLeast(0, most=10_000)],
    "folds": Annotated[int, AtLeast(0, most=1000)],
    "dir": str | None,
    "synchronous": bool,
    "cluster": str | None,
    "lease_s": Annotated[float, AtLeast(5, most=86_400)],
    "quiet": bool,
}


@dataclass(frozen=True)
class SweepOptions:
    """What a call of `kexp.sweep` asks for beside the recipe and its space; see there."""

    trials: int
    workers: int
    algorithm: AlgorithmName
    objective: str | None
    seed: int
    keep: int
    prune: Literal["median"] | None
    seeds_for_top: int
    folds: int
    synchronous: bool
    cluster: str | None
    lease_s: float
    quiet: bool
    budget: str | None
    dir: str | os.PathLike[str] | None
    resources: Mapping[str, float] | None

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> SweepOptions:
        """Return the options of a mapping that has all of them.

        Raises:
            InputError: One is out of its range, or two exclude each other.
        """
        checked = {
            # Python gives a dir as a Path, too; it is looked at when it is known which sweep it is for.
            name: given[name] if name == "dir" else check_value(name, given[name], kind)
            for name, kind in OPTION_TYPES.items()
        }
        options = cls(**{**given, **checked})
        parse_budget(options.budget)
        if options.seeds_for_top == 1:
            raise InputError("seeds_for_top must be 0, or 2 or more for a confidence interval; received 1.")
        if options.folds == 1:
            raise InputError("folds must be 0 for one validation part, or 2 or more; received 1.")
        if options.prune and options.folds:
            raise InputError(
                "prune cannot be used with folds, whose trials are several runs; leave one of them out."
            )
        if options.prune and options.cluster:
            raise InputError("prune cannot be used with cluster; leave one of them out.")
        if options.resources and not options.cluster:
            raise InputError(
                "resources needs cluster, whose machines have them; give cluster or leave it out."
            )
        options.executor.check()
        return options

    @property
    def fold_plan(self) -> FoldPlan | None:
        """The folds that validate every trial, or None."""
        return FoldPlan(self.folds, seed=self.seed, part="validation") if self.folds else None

    @property
    def executor(self) -> ExecutorChoice:
        """Where the trials run."""
        return ExecutorChoice(self.workers, self.cluster, self.resources)


OPTIONS = tuple(field.name for field in fields(SweepOptions))

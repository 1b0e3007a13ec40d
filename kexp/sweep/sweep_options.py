"""The plain options of a call of `kexp.sweep`, checked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal

from kexp.core.constraints import AtLeast, Count
from kexp.core.errors import InputError
from kexp.data.folds import FoldPlan
from kexp.sweep.search.algorithms import AlgorithmName
from kexp.sweep.work_options import WORK_OPTION_TYPES, WorkOptions

# Of those that a command line can write down, which is all but resources.
OPTION_TYPES: dict[str, Any] = {
    **WORK_OPTION_TYPES,
    "workers": Count | Literal["vectorized"],
    "trials": Annotated[int, AtLeast(1, most=100_000)],
    "algorithm": AlgorithmName,
    "objective": str | None,
    "keep": Count,
    "prune": Literal["median"] | None,
    "seeds_for_top": Annotated[int, AtLeast(0, most=10_000)],
    "folds": Annotated[int, AtLeast(0, most=1000)],
    "synchronous": bool,
}


@dataclass(frozen=True)
class SweepOptions(WorkOptions):
    """What a call of `kexp.sweep` asks for beside the recipe and its space; see there."""

    types: ClassVar[dict[str, Any]] = OPTION_TYPES

    trials: int
    algorithm: AlgorithmName
    objective: str | None
    keep: int
    prune: Literal["median"] | None
    seeds_for_top: int
    folds: int
    synchronous: bool

    def check_together(self) -> None:
        if self.seeds_for_top == 1:
            raise InputError("seeds_for_top must be 0, or 2 or more for a confidence interval; received 1.")
        if self.folds == 1:
            raise InputError("folds must be 0 for one validation part, or 2 or more; received 1.")
        if self.prune and self.folds:
            raise InputError(
                "prune cannot be used with folds, whose trials are several runs; leave one of them out."
            )
        if self.prune and self.workers == "vectorized":
            raise InputError(
                "prune cannot be used with workers='vectorized', which trains trials together; leave one out."
            )
        if self.prune and self.cluster:
            raise InputError("prune cannot be used with cluster; leave one of them out.")

    @property
    def fold_plan(self) -> FoldPlan | None:
        """The folds that validate every trial, or None."""
        return FoldPlan(self.folds, seed=self.seed, part="validation") if self.folds else None


OPTIONS = tuple(field.name for field in fields(SweepOptions))

"""The plain options of a call of `kexp.cross_validate`, checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from kexp.core.constraints import Seed, check_value
from kexp.data.folds import FoldCount, FoldPlan, RepeatCount
from kexp.sweep.budget import parse_budget
from kexp.sweep.executors.executor_choice import ExecutorChoice
from kexp.sweep.sweep_options import OPTION_TYPES

# Of those that a command line can write down, which is all but resources.
FOLD_OPTION_TYPES: dict[str, Any] = {
    "folds": FoldCount,
    "repeats": RepeatCount,
    "seed": Seed,
    **{name: OPTION_TYPES[name] for name in ("workers", "budget", "dir", "cluster", "lease_s", "quiet")},
}


@dataclass(frozen=True)
class FoldOptions:
    """What a call of `kexp.cross_validate` asks for beside the recipe and its arguments; see there."""

    folds: int
    repeats: int
    seed: int
    workers: int
    budget: str | None
    dir: str | os.PathLike[str] | None
    cluster: str | None
    lease_s: float
    quiet: bool
    resources: Mapping[str, float] | None

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> FoldOptions:
        """Return the options of a mapping that has all of them.

        Raises:
            InputError: One is out of its range, or two exclude each other.
        """
        checked = {
            # Python gives a dir as a Path, too; it is looked at when it is known what it is for.
            name: given[name] if name == "dir" else check_value(name, given[name], kind)
            for name, kind in FOLD_OPTION_TYPES.items()
        }
        options = cls(**{**given, **checked})
        parse_budget(options.budget)
        options.executor.check()
        return options

    @property
    def executor(self) -> ExecutorChoice:
        """Where the folds run."""
        return ExecutorChoice(self.workers, self.cluster, self.resources)

    @property
    def plan(self) -> FoldPlan:
        """The folds."""
        return FoldPlan(self.folds, self.repeats, self.seed)


FOLD_OPTIONS = tuple(field.name for field in fields(FoldOptions))

"""The plain options of a call of `kexp.cross_validate`, checked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from kexp.data.folds import FoldCount, FoldPlan, RepeatCount
from kexp.sweep.work_options import WORK_OPTION_TYPES, WorkOptions

# Of those that a command line can write down, which is all but resources.
FOLD_OPTION_TYPES: dict[str, Any] = {"folds": FoldCount, "repeats": RepeatCount, **WORK_OPTION_TYPES}


@dataclass(frozen=True)
class FoldOptions(WorkOptions):
    """What a call of `kexp.cross_validate` asks for beside the recipe and its arguments; see there."""

    types: ClassVar[dict[str, Any]] = FOLD_OPTION_TYPES

    folds: int
    repeats: int

    @property
    def fold_plan(self) -> FoldPlan:
        """The folds."""
        return FoldPlan(self.folds, self.repeats, self.seed)


FOLD_OPTIONS = tuple(field.name for field in fields(FoldOptions))

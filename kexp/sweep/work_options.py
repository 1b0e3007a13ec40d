"""The options that every call has whose runs are taken by workers: of a sweep, and of a cross-validation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from kexp.core.constraints import AtLeast, Count, Seed, check_value
from kexp.core.errors import InputError
from kexp.sweep.budget import parse_budget
from kexp.sweep.executors.executor_choice import ExecutorChoice
from kexp.trackers.base import check_trackers

if TYPE_CHECKING:
    from typing_extensions import Self

WORK_OPTION_TYPES: dict[str, Any] = {
    "workers": Count,
    "seed": Seed,
    "budget": str | None,
    "dir": str | None,
    "cluster": str | None,
    "lease_s": Annotated[float, AtLeast(5, most=86_400)],
    "track": str | tuple[str, ...] | None,
    "quiet": bool,
}


@dataclass(frozen=True)
class WorkOptions:
    """What a call asks for of its workers, folder and budget; see `kexp.sweep`.

    Attributes:
        types: Annotations of all options that a command line can write down, which is all but resources.
    """

    types: ClassVar[dict[str, Any]] = WORK_OPTION_TYPES

    workers: int | Literal["vectorized"]
    seed: int
    budget: str | None
    dir: str | os.PathLike[str] | None
    cluster: str | None
    resources: Mapping[str, float] | None
    lease_s: float
    track: str | Sequence[str] | None
    quiet: bool

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> Self:
        """Return the options of a mapping that has all of them.

        Raises:
            InputError: One is out of its range, or two exclude each other.
        """
        checked = {
            # Python gives a dir as a Path, too; it is looked at when it is known what it is for.
            name: given[name] if name == "dir" else check_value(name, given[name], kind)
            for name, kind in cls.types.items()
        }
        options = cls(**{**given, **checked})
        parse_budget(options.budget)
        check_trackers(options.track)
        options.check_together()
        if options.resources and not options.cluster:
            raise InputError(
                "resources needs cluster, whose machines have them; give cluster or leave it out."
            )
        options.executor.check()
        return options

    def check_together(self) -> None:
        """Refuse options that exclude each other; to be overridden."""

    @property
    def tracking(self) -> dict[str, Any]:
        """What the runs are given of `track`: nothing without it, as before there were trackers."""
        return {"track": self.track} if self.track else {}

    @property
    def executor(self) -> ExecutorChoice:
        """Where the runs are made."""
        return ExecutorChoice(self.workers, self.cluster, self.resources)

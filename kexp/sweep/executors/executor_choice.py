"""The executor that a call of a sweep asks for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.core.processes import check_processes
from kexp.sweep.executors.base import Executor
from kexp.sweep.executors.local import LocalExecutor
from kexp.sweep.executors.vectorized import MOST_TOGETHER, VectorizedExecutor, populations

_BY_RESULTS = 4  # trials of a population, which know nothing of one another


@dataclass(frozen=True)
class ExecutorChoice:
    """Where trials run: processes on this machine, one trial or a population in each, or a Ray cluster.

    Attributes:
        workers: How many trials run at a time; "vectorized": populations of them.
        cluster: Address of the cluster, or None.
        resources: What a trial takes of the cluster; None for one CPU.
    """

    workers: int | Literal["vectorized"]
    cluster: str | None = None
    resources: Mapping[str, float] | None = None

    def check(self) -> None:
        """Refuse what cannot run here, before anything is written.

        Raises:
            InputError: There are too many workers for this machine, or Ray or a resource is missing.
        """
        if self.workers == "vectorized":
            if self.cluster is not None:
                raise InputError("workers='vectorized' is for one machine; give a number for the cluster.")
            return
        if self.cluster is None:
            check_processes("workers", self.workers)
            return
        from kexp.sweep.executors.ray import check_cluster

        check_value("workers", self.workers, Annotated[int, AtLeast(1, most=10_000)])
        check_cluster(self.cluster, self.resources or {})

    @property
    def processes(self) -> int:
        """How many workers there are."""
        return populations() if self.workers == "vectorized" else self.workers

    def at_once(self, *, by_results: bool) -> int:
        """Return how many trials are to be proposed before one has ended.

        Args:
            by_results: Whether the values of a trial depend on what others have come to.
        """
        if self.workers != "vectorized":
            return self.workers
        return populations() * (_BY_RESULTS if by_results else MOST_TOGETHER)

    def executor(self, directory: Path, threads: int) -> AbstractContextManager[Executor]:
        """Return the executor of a sweep folder, to be entered.

        Args:
            directory: The sweep folder.
            threads: Of each worker's TensorFlow, the same for any number of workers.
        """
        if self.workers == "vectorized":
            return VectorizedExecutor(directory, populations(), threads)
        if self.cluster is None:
            return LocalExecutor(directory, self.workers, threads)
        from kexp.sweep.executors.ray import RayExecutor  # only where it is asked for: Ray is an extra

        resources = self.resources or {"CPU": 1}
        return RayExecutor(directory, self.workers, threads, address=self.cluster, resources=resources)

"""The executor that a call of a sweep asks for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from kexp.core.constraints import AtLeast, check_value
from kexp.core.processes import check_processes
from kexp.sweep.executors.base import Executor
from kexp.sweep.executors.local import LocalExecutor


@dataclass(frozen=True)
class ExecutorChoice:
    """Where trials run: processes on this machine, or a Ray cluster.

    Attributes:
        workers: How many trials run at a time.
        cluster: Address of the cluster, or None.
        resources: What a trial takes of the cluster; None for one CPU.
    """

    workers: int
    cluster: str | None = None
    resources: Mapping[str, float] | None = None

    def check(self) -> None:
        """Refuse what cannot run here, before anything is written.

        Raises:
            InputError: There are too many workers for this machine, or Ray or a resource is missing.
        """
        if self.cluster is None:
            check_processes("workers", self.workers)
            return
        from kexp.sweep.executors.ray import check_cluster

        check_value("workers", self.workers, Annotated[int, AtLeast(1, most=10_000)])
        check_cluster(self.cluster, self.resources or {})

    def executor(self, directory: Path, threads: int) -> AbstractContextManager[Executor]:
        """Return the executor of a sweep folder, to be entered.

        Args:
            directory: The sweep folder.
            threads: Of each worker's TensorFlow, the same for any number of workers.
        """
        if self.cluster is None:
            return LocalExecutor(directory, self.workers, threads)
        from kexp.sweep.executors.ray import RayExecutor  # only where it is asked for: Ray is an extra

        resources = self.resources or {"CPU": 1}
        return RayExecutor(directory, self.workers, threads, address=self.cluster, resources=resources)

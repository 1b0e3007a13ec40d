"""Worker processes each of which trains a population of trials at once."""

from __future__ import annotations

from typing import ClassVar

from kexp.core.processes import nvidia_gpus, usable_cores
from kexp.sweep.executors.local import LocalExecutor

MOST_TOGETHER = 32  # trials of a population, whose models and data are in memory together
_MOST_PROCESSES = 4  # on CPUs, each of which imports TensorFlow and traces the program


def populations() -> int:
    """Return how many processes train populations on this machine: one for a GPU, or a few for its cores."""
    return nvidia_gpus() or min(_MOST_PROCESSES, len(usable_cores()))


class VectorizedExecutor(LocalExecutor):
    """Keeps processes running inside a `with` block that take the trials that wait together.

    Args:
        directory: The sweep folder.
        workers: How many; see `populations`.
        threads: Of each worker's TensorFlow, as when one runs a trial alone.
    """

    _module: ClassVar[str] = "kexp.sweep.executors.population_worker"

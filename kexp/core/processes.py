"""Processes that this one starts: the cores and GPUs there are for them, and that none outlives it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError

_PER_CORE, _FEWEST = 4, 16  # more would only wait for one another, in 0.5 GB each
_PR_SET_PDEATHSIG = 1
_GPUS = Path("/proc/driver/nvidia/gpus")


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def check_processes(name: str, count: int, *, least: int = 1) -> int:
    """Return how many processes of TensorFlow are to be started, if this machine is made for so many.

    Args:
        name: The argument, for the message.
        count: What the user gave.
        least: The fewest that make sense, default 1.

    Raises:
        InputError: It is no whole number, or too small or large.

    Example:
        >>> check_processes("workers", 100_000)
        Traceback (most recent call last):
        ...
        kexp.InputError: workers must be at most ... on a machine with ... cores; received 100000, so give
        fewer.
    """
    count = int(check_value(name, count, Annotated[int, AtLeast(least)]))
    cores = len(usable_cores())
    most = max(_FEWEST, _PER_CORE * cores)
    if count > most:
        raise InputError(
            f"{name} must be at most {most} on a machine with {cores} cores; received {count}, so give fewer."
        )
    return count


def nvidia_gpus() -> int:
    """Return how many NVIDIA GPUs the driver has, without starting anything on them."""
    return len(list(_GPUS.iterdir())) if _GPUS.is_dir() else 0


def module_paths() -> str:
    """Return a PYTHONPATH by which a new process finds the modules that this one finds."""
    return os.pathsep.join(path or os.getcwd() for path in sys.path)


def die_with(parent: int) -> None:
    """End this process when the one that started it ends, however that ends.

    Args:
        parent: Number of that process, which holds the other end of the pipe that is standard input here.
    """
    if sys.platform == "linux":  # which also ends a process that is frozen
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)

    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

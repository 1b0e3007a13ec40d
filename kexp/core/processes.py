"""Processes that this one starts: the cores and GPUs there are for them, and that none outlives it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_GPUS = Path("/proc/driver/nvidia/gpus")


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


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

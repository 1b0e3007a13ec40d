"""A lock on a file or folder, which the system gives back however a process ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Wait until no other process holds a file or folder, and hold it; where the system has no locks, go on.

    Args:
        path: Of what is there; of a folder its files are as they were.

    Raises:
        OSError: It is not there, or its file system has no locks.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

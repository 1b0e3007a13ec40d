"""What lies in a sweep folder beside the record: a run folder for each trial, with or without weights."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kexp.core.errors import InputError

LOST_LEASE, FULL_DISK = 70, 71  # exit codes of a worker


def trial_folder(directory: Path, number: int) -> Path:
    """Return the run folder of a trial."""
    return directory / "trials" / f"{number:04d}"


def folder_bytes(folder: Path) -> int:
    """Return the size of all files under a folder, also while some of them go."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def strip(folder: Path) -> None:
    """Remove what holds weights or data from a run folder: what it was and how it went stays."""
    for name in ("model.keras", "samples.npz"):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the sweep folder as its only coordinator; the system lets go of it when the process ends."""
    with open(directory / "sweep.lock", "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"dir {directory} is being swept by another process; wait for its end or give another dir."
            ) from None
        yield

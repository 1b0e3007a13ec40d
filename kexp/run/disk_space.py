"""Space on the disk of a run folder: what a run will take, and what is said when there is none left."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kexp.core.errors import InputError
from kexp.engine.base import Engine


def space_needed(engine: Engine) -> int:
    """Return about how many bytes a run folder will take."""
    # Two checkpoints with the best weights in each, a third while it is written, and the model.
    return 4 * engine.state_bytes() + 2_000_000


def check_space(engine: Engine, run_dir: Path, *, quiet: bool) -> None:
    """Say what the run will take on the disk, before it is trained, and refuse when there is no room.

    Raises:
        InputError: There is none.
    """
    existing = next(path for path in (run_dir, *run_dir.absolute().parents) if path.exists())
    needed, free = space_needed(engine), shutil.disk_usage(existing).free
    if needed > free:
        raise InputError(
            f"run_dir {run_dir} needs about {needed / 1e6:.0f} MB for checkpoints and the model, and "
            f"its disk has {free / 1e6:.0f} MB free; free some space or give another run_dir."
        )
    if not quiet:
        print(f"run folder {run_dir}, about {needed / 1e6:.0f} MB of {free / 1e6:,.0f} MB free")


@contextmanager
def full_disk_explained(run_dir: Path) -> Iterator[None]:
    """Say in one sentence that the disk is full, where a write finds that out.

    Raises:
        InputError: It is.
    """
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise InputError(
            f"run_dir {run_dir} is on a full disk; free some space and repeat the same call, "
            "which goes on from the last whole checkpoint."
        ) from error

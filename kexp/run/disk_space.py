"""The disk of a run folder: the space a run will take, and what is said when it cannot be written to."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.foreign_files import reason
from kexp.core.machine_faults import OUTPUT
from kexp.core.storage import is_remote
from kexp.engine.base import Engine

# Of an error that has nothing to do with what a callback or a data set of the user's does.
_OF_THE_DISK = {
    getattr(errno, name)
    for name in ("EACCES", "EPERM", "EROFS", "EDQUOT", "EIO", "ESTALE", "EFBIG")
    if hasattr(errno, name)
}


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
def disk_trouble_explained(run_dir: Path) -> Iterator[None]:
    """Say in one sentence that the disk is full, or does not take writes, where a write of the run finds out.

    Raises:
        InputError: It is so.
    """
    try:
        yield
    except OSError as error:
        if error.filename == OUTPUT:
            raise
        if error.errno == errno.ENOSPC:
            raise InputError(
                f"run_dir {run_dir} is on a full disk; free some space and repeat the same call, "
                "which goes on from the last whole checkpoint."
            ) from error
        if error.errno not in _OF_THE_DISK or not _is_below(error.filename, run_dir):
            raise
        raise InputError(
            f"run_dir {run_dir} cannot be written to ({error.filename}: {reason(error)}); mend that and "
            "repeat the same call, which goes on from the last whole checkpoint."
        ) from error


@contextmanager
def lost_folder_explained(run_dir: Path, checkpoints: Path | str) -> Iterator[None]:
    """Say in one sentence that a folder of the run has gone, where a write finds out; both were there before.

    Args:
        run_dir: The run folder.
        checkpoints: Where its state is.

    Raises:
        InputError: One has gone.
    """
    try:
        yield
    except OSError as error:
        places = [run_dir, *([] if is_remote(checkpoints) else [Path(checkpoints)])]
        lost = next((place for place in places if not os.path.isdir(place)), None)
        if lost is None:
            raise
        raise InputError(
            f"run_dir {run_dir} was removed or moved while the run was trained, {lost} is no longer there; "
            "put it back and repeat the same call, or begin anew."
        ) from error


def _is_below(name: object, folder: Path) -> bool:
    return isinstance(name, str) and Path(os.path.abspath(name)).is_relative_to(os.path.abspath(folder))

"""The cache folder: where data that are too large for memory lie while they are read."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.foreign_files import reason
from kexp.core.user_paths import user_path

VARIABLE = "KEXP_CACHE_DIR"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def cache_dir() -> Path:
    """Return the folder that KEXP_CACHE_DIR names, else the user's folder for caches, which is made.

    Raises:
        InputError: There is no such folder, and none can be made.
    """
    given = os.environ.get(VARIABLE)
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kexp"
    folder = user_path(VARIABLE, given) if given else usual
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{VARIABLE} must be a folder that can be written to; {folder} is none ({reason(error)}), so "
            "name another one."
        ) from error
    return folder


def require_room(folder: Path, needed: int, what: str) -> None:
    """Refuse what the disk of a folder has no room for.

    Args:
        folder: It is there.
        needed: Bytes.
        what: Noun for the message, in the plural.

    Raises:
        InputError: There is too little.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{what} take {needed / 1e9:,.3g} GB in the cache folder {folder}, whose disk has "
            f"{free / 1e9:,.3g} GB free; free some space, or set {VARIABLE} to a folder of a larger disk."
        )


@contextmanager
def full_disk_explained(folder: Path) -> Iterator[None]:
    """Say in one sentence that the disk of the cache folder is full, where a write finds out.

    Raises:
        InputError: It is.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise InputError(
            f"the cache folder {folder} is on a full disk; free some space, or set {VARIABLE} to a folder of "
            "a larger one."
        ) from error

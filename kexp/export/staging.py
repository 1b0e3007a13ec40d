"""The staging folder: an export is written and checked beside its place, then renamed into it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.files import sync
from kexp.export.exporter import exporters
from kexp.export.manifest import LOCATION


def check_place(directory: Path, overwrite: bool = False) -> None:
    """Check that an export may be put at `directory`, which is not touched.

    Args:
        directory: A new path or an empty folder.
        overwrite: An earlier kexp export may be there, too. Default False.

    Raises:
        InputError: Something else is there.
    """
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise InputError(
            f"directory must be a new or empty folder, received the file or link {directory}; choose another."
        )
    if not directory.exists() or not any(directory.iterdir()):
        return
    if not overwrite:
        raise InputError(
            f"directory must be a new or empty folder, but {directory} holds files; "
            "choose another, or replace an earlier export with overwrite=True."
        )
    if not _is_export(directory):
        raise InputError(
            f"overwrite=True replaces nothing but exports of kexp's, and {directory} holds other files; "
            "choose another directory, or remove it yourself."
        )


@contextmanager
def staged(directory: Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty folder beside `directory`; when the body succeeds it becomes `directory`.

    When the body raises, nothing is left. A killed process leaves a hidden folder
    `.NAME.partial-…`, which the next export to the same place on the same machine removes.

    Args:
        directory: Where the folder shall be; its parents are made.
        overwrite: Replace an earlier kexp export. Default False.

    Raises:
        InputError: Something else is at `directory`, or its parent cannot be written.
    """
    check_place(directory, overwrite)
    missing = [parent for parent in directory.parents if not parent.exists()]  # the innermost first
    folder = directory.with_name(f".{directory.name}.partial-{_owner()}-{secrets.token_hex(4)}")
    try:
        for path in (*reversed(missing), directory.parent, folder):
            _make(path)
        _remove_abandoned(directory)
        yield folder
        check_place(directory, overwrite)  # the body took a while
        _sync(folder)
        _replace(directory, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in missing:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise


def _replace(directory: Path, folder: Path) -> None:
    if not directory.exists():
        os.rename(folder, directory)
        return
    # A folder cannot be exchanged in one step everywhere: the old one steps aside and comes back if
    # the new one cannot take its place.
    aside = directory.with_name(f".{directory.name}.replaced-{secrets.token_hex(4)}")
    os.rename(directory, aside)
    try:
        os.rename(folder, directory)
    except BaseException:
        os.rename(aside, directory)
        raise
    shutil.rmtree(aside)


def _sync(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        sync(path)


def _is_export(directory: Path) -> bool:
    """Return whether there is nothing in a folder but versions that kexp wrote."""
    known = {LOCATION.parts[0]}.union(*(exporter.parts for exporter in exporters().values()))
    return all(
        version.name.isdigit()
        and (version / LOCATION).is_file()
        and {part.name for part in version.iterdir()} <= known
        for version in directory.iterdir()
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"directory must be where this user may write, but {folder} cannot be made "
            f"({error.strerror or error}); choose another."
        ) from error


def _owner() -> str:
    host = re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())
    return f"{host}-{os.getpid()}"


def _remove_abandoned(directory: Path) -> None:
    """Remove what killed processes of this machine left of an export to this place."""
    import psutil

    host = _owner().rpartition("-")[0]
    pattern = re.compile(re.escape(f".{directory.name}.partial-{host}-") + r"(\d+)-[0-9a-f]{8}")
    for path in directory.parent.iterdir():
        found = pattern.fullmatch(path.name)
        if found and not psutil.pid_exists(int(found[1])):
            shutil.rmtree(path, ignore_errors=True)

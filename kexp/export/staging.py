"""The staging folder: an export is written and checked beside its place, then renamed into it."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.files import has_ended, process_mark, sync
from kexp.core.waiting_lock import waiting_lock
from kexp.data.dataset import DatasetSpec
from kexp.export.exporter import exporters
from kexp.export.manifest import CARD, LOCATION, Manifest

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


def check_place(directory: Path, overwrite: bool = False, spec: DatasetSpec | None = None) -> None:
    """Check that an export may be put at `directory`, which is not touched.

    Args:
        directory: A new path, an empty folder or an earlier kexp export, beside which the next version goes.
        overwrite: The earlier export is to be replaced, default False.
        spec: What the next version is for, which the earlier one has to be for, too, unless it is replaced;
            default: not compared.

    Raises:
        InputError: Something else is there.
    """
    with _alone(directory):
        _check_place(directory, overwrite, spec)


def _check_place(directory: Path, overwrite: bool, spec: DatasetSpec | None) -> None:
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise InputError(
            f"directory must be a new or empty folder, received the file or link {directory}; choose another."
        )
    if not directory.exists() or not any(directory.iterdir()):
        return
    if not _is_export(directory):
        wanted = "overwrite=True replaces nothing but exports of kexp's"
        if not overwrite:
            wanted = "directory must be a new or empty folder or an export of kexp's"
        raise InputError(
            f"{wanted}, and {directory} holds other files; choose another directory, or remove it yourself."
        )
    if spec is not None and not overwrite and not _is_for(_highest(directory), spec):
        raise InputError(
            f"directory must hold an export for the inputs and outputs that the next version is for, and "
            f"that in {directory} is for others; choose another, or replace it with overwrite=True."
        )


@contextmanager
def staged(directory: Path, overwrite: bool = False, spec: DatasetSpec | None = None) -> Iterator[Path]:
    """Yield an empty folder beside `directory`; when the body succeeds it becomes `directory`.

    Beside an earlier export there, what the body wrote as version 1 takes its place under the next number, in
    one step. When the body raises, nothing is left. A killed process leaves a hidden folder
    `.NAME.partial-…`, which the next export to the same place on the same machine removes.

    Args:
        directory: Where the folder shall be; its parents are made.
        overwrite: Remove the earlier versions once there is the new one. Default False.
        spec: As `check_place` takes it.

    Raises:
        InputError: Something else is at `directory`, or its parent cannot be written.
    """
    check_place(directory, overwrite, spec)
    missing = [parent for parent in directory.parents if not parent.exists()]  # the innermost first
    folder = directory.with_name(f".{directory.name}.partial-{process_mark()}-{secrets.token_hex(4)}")
    try:
        for path in (*reversed(missing), directory.parent, folder):
            _make(path)
        _remove_abandoned(directory)
        yield folder
        _sync(folder)
        with _alone(directory):
            _check_place(directory, overwrite, spec)  # the body took a while
            _put_in_place(directory, folder, overwrite)
        shutil.rmtree(folder, ignore_errors=True)  # with the earlier versions, where it was not renamed
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in missing:
            with suppress(OSError):  # there is something in it, of another export as a rule
                parent.rmdir()
        raise


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Wait until no other process looks at a place or puts an export there, which takes a moment."""
    with ExitStack() as stack:
        with suppress(OSError):  # there is none yet, or its file system locks no folders
            stack.enter_context(waiting_lock(directory.parent))
        yield


def _put_in_place(directory: Path, folder: Path, overwrite: bool) -> None:
    try:
        os.rename(folder, directory)
        sync(directory.parent)
        return
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
    # Whoever serves the folder takes the highest version, so there is one at every moment.
    number = _add_version(directory, folder / "1")
    sync(directory)
    for earlier in directory.iterdir() if overwrite else ():
        if int(earlier.name) < number:
            os.rename(earlier, folder / earlier.name)  # out of the way at once; to remove it takes a while


def _add_version(directory: Path, version: Path) -> int:
    """Move a version's folder to the first number above all that are there, and return it."""
    while True:
        number = 1 + max(int(there.name) for there in directory.iterdir())
        try:
            os.rename(version, directory / str(number))
            return number
        except OSError as error:
            if error.errno not in _TAKEN:  # another export has just taken it
                raise


def _highest(directory: Path) -> Path:
    return max(directory.iterdir(), key=lambda version: int(version.name))


def _is_for(version: Path, spec: DatasetSpec) -> bool:
    try:
        return Manifest.read(version).spec.to_json() == spec.to_json()
    except InputError:  # a damaged one
        return False


def _sync(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        sync(path)


def _is_export(directory: Path) -> bool:
    """Return whether there is nothing in a folder but versions that kexp wrote."""
    known = {LOCATION.parts[0], CARD}.union(*(exporter.parts for exporter in exporters().values()))
    return all(
        version.name.isdigit()
        and (version / LOCATION).is_file()
        and {part.name for part in version.iterdir()} <= known
        for version in directory.iterdir()
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)  # another export that failed may have removed one
    except OSError as error:
        raise InputError(
            f"directory must be where this user may write, but {folder} cannot be made "
            f"({error.strerror or error}); choose another."
        ) from error


def _remove_abandoned(directory: Path) -> None:
    """Remove what killed processes of this machine left of an export to this place.

    Releases up to 0.1.0 moved an earlier export aside before the new one came; a kill in between left it
    under a hidden name, which has an owner that cannot be told, so it goes only once there is another one.
    """
    partial = re.compile(re.escape(f".{directory.name}.partial-") + r"(\w+)-(\d+)-[0-9a-f]{8}")
    replaced = re.compile(re.escape(f".{directory.name}.replaced-") + r"[0-9a-f]{8}")
    for path in directory.parent.iterdir():
        found = partial.fullmatch(path.name)
        dead = found is not None and has_ended(found[1], found[2])
        if dead or (replaced.fullmatch(path.name) and directory.exists() and _is_export(directory)):
            shutil.rmtree(path, ignore_errors=True)

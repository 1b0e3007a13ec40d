"""Paths that users give: whether a name can be one, before anything is looked for or written there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kexp.core.errors import InputError, shown

_LONGEST_NAME_BYTES = 255  # of one file or folder, on every file system that is in use
_LONGEST_WRITTEN_BYTES = 230  # which leaves room for the name that a file has while it is written
_LONGEST_PATH_BYTES = 3800  # of the 4096 that Linux has, so that there is room below it


def user_path(name: str, value: str | os.PathLike[str]) -> Path:
    """Return the path that a user gave, with ~ replaced by the home folder.

    Args:
        name: The argument, for the message.
        value: What the user gave; nothing needs to be there.

    Raises:
        InputError: It is empty, no path at all, or one that no file system can have.

    Example:
        >>> user_path("run_dir", "runs/first").name
        'first'
        >>> user_path("run_dir", "")
        Traceback (most recent call last):
        ...
        kexp.InputError: run_dir must be a path; received '', so name a file or folder, "." for this folder.
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str):
        raise InputError(f"{name} must be a path as a string or Path; received {shown(value)}.")
    if not text.strip():
        raise InputError(
            f'{name} must be a path; received {text!r}, so name a file or folder, "." for this folder.'
        )
    _check_characters(name, text)
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # ~nobody, or ~ where there is no home folder
        raise InputError(
            f"{name} must be a path whose ~ stands for a home folder; received {text!r} "
            f"({str(error).strip().rstrip('.')}), so write the whole path."
        ) from None
    _check_reach(name, path)
    return path


def output_file(name: str, value: str | os.PathLike[str], suffix: str = "") -> Path:
    """Return the path of a file that is to be written, before anything is done for it.

    Args:
        name: The argument, for the message.
        value: What the user gave; a file that is there will be replaced.
        suffix: That it must have, such as ".png"; default: any.

    Raises:
        InputError: It is no path, in no folder that exists and can be written to, or no regular file.

    Example:
        >>> output_file("plot", "no/such/folder/rates.png", ".png")
        Traceback (most recent call last):
        ...
        kexp.InputError: plot must be a .png file in a folder that exists; received
        'no/such/folder/rates.png'.
    """
    path = user_path(name, value)
    if path.suffix != (suffix or path.suffix) or not path.parent.is_dir() or path.is_dir():
        kind = f"a {suffix} file" if suffix else "a file"
        raise InputError(f"{name} must be {kind} in a folder that exists; received {str(path)!r}.")
    if path.exists() and not path.is_file():  # which would be replaced like a file
        raise InputError(f"{name} must be a file; {path} is a pipe, socket or device, so give another path.")
    if len(os.fsencode(path.name)) > _LONGEST_WRITTEN_BYTES:
        raise InputError(f"{name} must have a name of at most {_LONGEST_WRITTEN_BYTES} bytes; shorten it.")
    _check_writable(f"{name} must be in a folder", path.parent)
    return path


def output_folder(name: str, value: str | os.PathLike[str]) -> Path:
    """Return the path of a folder that is to be made, or written to, before anything is done for it.

    Args:
        name: The argument, for the message.
        value: What the user gave; folders above it are made too.

    Raises:
        InputError: It is no path, below or in the place of a file, or cannot be written to.

    Example:
        >>> output_folder("run_dir", "pyproject.toml/run")
        Traceback (most recent call last):
        ...
        kexp.InputError: run_dir must be a folder; .../pyproject.toml is a file, so give another path.
    """
    path = user_path(name, value)
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not existing.is_dir():
        raise InputError(f"{name} must be a folder; {existing} is a file, so give another path.")
    if path.is_symlink() and not path.exists():
        raise InputError(f"{name} must be a folder; {path} is a link to nowhere, so give another path.")
    _check_writable(f"{name} must be a folder", existing)
    return path


def _check_writable(wanted: str, folder: Path) -> None:
    # os.access says yes to root and to read-only mounts alike on some systems, so a mount is asked too.
    read_only_mount = bool(os.statvfs(folder).f_flag & os.ST_RDONLY) if hasattr(os, "statvfs") else False
    if read_only_mount or not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{wanted} that can be written to; {folder} is read-only, so give another path.")


def _check_characters(name: str, text: str) -> None:
    if "\0" in text:
        raise InputError(f"{name} must be a path; received {text!r}, in which \\0 cannot stand; remove it.")
    try:
        parts = [os.fsencode(part) for part in Path(text).parts]
    except UnicodeEncodeError:
        raise InputError(
            f"{name} must be a path in Unicode; received {text!r}, which no file name can hold; rename it."
        ) from None
    longest = max(map(len, parts), default=0)
    if longest > _LONGEST_NAME_BYTES:
        raise InputError(
            f"{name} must be a path of names of at most {_LONGEST_NAME_BYTES} bytes; received one of "
            f"{longest} bytes, so give a shorter one."
        )
    if sum(map(len, parts)) + len(parts) > _LONGEST_PATH_BYTES:
        raise InputError(f"{name} must be a path of at most {_LONGEST_PATH_BYTES} bytes; give a shorter one.")


def _check_reach(name: str, path: Path) -> None:
    """Look where the path leads, which fails for circular links and in a working directory that is gone."""
    try:
        is_closed = stat.S_ISDIR(path.absolute().stat().st_mode) and not os.access(path, os.X_OK)
    except FileNotFoundError as error:
        if not path.is_absolute() and error.filename is None:
            raise InputError(
                f"{name} is {str(path)!r}, but the working directory does not exist any more; change to one "
                "that does, or give an absolute path."
            ) from None
    except NotADirectoryError:
        pass  # said better by who knows whether a file or a folder is wanted
    except OSError as error:
        raise InputError(
            f"{name} must be a path that can be reached; {path} cannot be ({error.strerror or error}), so "
            "give another one."
        ) from None
    else:
        if is_closed:
            raise InputError(
                f"{name} must be a path that can be reached; {path} is a folder that may not be looked into, "
                "so give another one."
            )

"""Paths that users give: whether a name can be one, before anything is looked for or written there."""

from __future__ import annotations

import os
from pathlib import Path

from kexp.core.errors import InputError

_LONGEST_NAME_BYTES = 255  # of one file or folder, on every file system that is in use


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
        raise InputError(f"{name} must be a path as a string or Path; received {value!r}.")
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


def _check_reach(name: str, path: Path) -> None:
    """Look where the path leads, which fails for circular links and in a working directory that is gone."""
    try:
        path.absolute().stat()
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

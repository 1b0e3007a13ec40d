"""Files in formats that are not kexp's: what a library cannot read of them is a sentence, not a traceback."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.files import sha256_of

_OF_TENSORFLOW = re.compile(r"\{\{.*?\}\} *|Traceback \(most recent call last\).*")


@contextmanager
def reading(path: Path | str, what: str, advice: str) -> Iterator[None]:
    """Turn whatever a library raises while it reads a file into one sentence that names the file.

    Put nothing but the library's calls into the body: a fault of kexp's own must keep its traceback.

    Args:
        path: The file.
        what: Its format, with an article, as "an .npz archive".
        advice: What to do about it, as "write it again with np.savez".

    Raises:
        InputError: The body raised, or the file is missing, a folder, or no regular file.

    Example:
        >>> import zipfile
        >>> with reading("recipes", "a zip archive", "pack it again"):
        ...     zipfile.ZipFile("recipes")
        Traceback (most recent call last):
        ...
        kexp.InputError: file recipes: expected a zip archive, received a folder; pack it again.
    """
    require_regular_file(Path(path), what, advice)
    with guarded(f"file {path}", what, advice):
        yield


@contextmanager
def guarded(place: str, what: str, advice: str) -> Iterator[None]:
    """Turn whatever a library raises about something of the user's into one sentence that names it.

    As for `reading`, which is for files, nothing but the library's calls belong into the body.

    Args:
        place: What it is and where, as "folder photos" or "data: the tf.data.Dataset".
        what: What it is read as, with an article.
        advice: What to do about it.

    Raises:
        InputError: The body raised.

    Example:
        >>> with guarded("sample_weight", "an array of numbers", "mend it"):
        ...     float("much")
        Traceback (most recent call last):
        ...
        kexp.InputError: sample_weight: cannot be read as an array of numbers (ValueError: could not
        convert string to float: 'much'); mend it.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        said = reason(error).replace(place.removeprefix("file "), "it")
        raise InputError(f"{place}: cannot be read as {what} ({said}); {advice}.") from None


def require_regular_file(path: Path, what: str, advice: str) -> None:
    """Refuse a file that is missing, and what is none: a folder, or a pipe that would be waited at for ever.

    Raises:
        InputError: It is not a file.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise InputError(f"file {path}: expected {what} ({reason(error)}); {advice}.") from None
    if not stat.S_ISREG(mode):
        received = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
        raise InputError(f"file {path}: expected {what}, received {received}; {advice}.")


def require_checksum(path: Path, checksum: str, writer: str, advice: str) -> None:
    """Refuse a file that is not, to the byte, the one of which a checksum was recorded.

    Args:
        path: The file.
        checksum: SHA-256 of it in hexadecimal, as it was written.
        writer: What wrote it, as "the run".
        advice: What to do about it.

    Raises:
        InputError: It is missing, cannot be read, or is another.
    """
    require_regular_file(path, f"a file of {writer}", advice)
    try:
        received = sha256_of(path)
    except OSError as error:
        raise InputError(f"file {path}: cannot be read ({reason(error)}); {advice}.") from None
    if received != checksum:
        raise InputError(f"file {path}: is not what {writer} wrote, its checksum differs; {advice}.")


def reason(error: BaseException) -> str:
    """Return what an error says, in one line that can stand in a sentence.

    Example:
        >>> reason(KeyError("steps")), reason(OSError(2, "No such file or directory"))
        ("KeyError: 'steps'", 'No such file or directory')
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    try:
        said = " ".join(str(error).split())
    except Exception:  # of a library's own class, whose __str__ fails on what it was made from
        said = ""
    said = _OF_TENSORFLOW.sub("", said)
    said = said.rpartition("Exception encountered: ")[2]  # after the whole configuration of a Keras layer
    said = re.sub(r"[.!?] (?=\S)", "; ", said).rstrip(" .:")  # one sentence will be made of it
    said = said.encode("utf-8", "backslashreplace").decode()
    name = type(error).__name__
    return f"{name}: {said[:200]}" if said else name

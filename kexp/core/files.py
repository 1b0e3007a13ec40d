"""Files that are either whole or not there: written beside, synced and renamed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

_LONGEST_NAME_BYTES = 255
_HOST = re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())[:60]
_PARTIAL = re.compile(r"\..*\.partial-(?P<host>[A-Za-z0-9_]+)-(?P<pid>\d+)(\.[^.]*)?")
# Of releases up to 0.1.0, which named the process alone; only looked for where nobody else has files.
_EARLIER = re.compile(
    r"\.(config|env|result|model|samples|curves|report|run|newest|step-\d+)\.(?P<pid>\d+)\.[a-z]+"
)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success sync what was written there and rename it.

    A reader sees the old file or the new one, also after a kill or a power cut in between. When the
    body raises, the temporary file is removed and the old file stays. What processes of this machine that
    were killed left half written in the same folder is removed.

    Args:
        path: The file to write. The temporary name keeps its suffix, since some writers choose the
            format by it.
    """
    remove_leftovers(path.parent)
    temporary = path.with_name(temporary_name(path.name))
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_name(name: str) -> str:
    """Return the name of a file while it is being written, which says by whom.

    Example:
        >>> temporary_name("model.keras")
        '.model.partial-...-....keras'
    """
    stem, suffix = os.path.splitext(name)
    ending = f".partial-{process_mark()}{suffix}"
    room = _LONGEST_NAME_BYTES - 1 - len(os.fsencode(ending))
    return f".{os.fsdecode(os.fsencode(stem)[:room])}{ending}"


def process_mark() -> str:
    """Return the machine and the number of this process, as they stand in the names of what it is writing."""
    return f"{_HOST}-{os.getpid()}"


def has_ended(host: str, pid: str) -> bool:
    """Return whether a process by its `process_mark` was one of this machine and is gone.

    Example:
        >>> has_ended(*process_mark().rsplit("-", 1)), has_ended("elsewhere", "1")
        (False, False)
    """
    import psutil

    if host != _HOST:
        return False
    try:
        # A killed one is listed until whoever started it asks for it, which in a container may be never.
        return psutil.Process(int(pid[:18])).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:  # of another user, on some systems
        return False


def remove_leftovers(folder: Path, *, own: bool = False) -> None:
    """Remove the files that killed processes have left half written in a folder.

    Args:
        folder: It may be absent.
        own: Nothing but files of one run is in there, and no other process may train it now: what an earlier
            release left goes too, and what another machine did.
    """
    try:
        names = [name for name in os.listdir(folder) if name.startswith(".")]
    except OSError:
        return  # what is wrong with it is said by whoever writes there
    for name in names:
        if is_leftover(name, own=own):
            (folder / name).unlink(missing_ok=True)


def is_leftover(name: str, *, own: bool) -> bool:
    """Return whether a file is what a killed process has left half written; see `remove_leftovers`.

    Example:
        >>> is_leftover(temporary_name("a.json"), own=True), is_leftover(".bashrc", own=True)
        (False, False)
    """
    found = _half_written(name, own)
    if found is None:
        return False
    host = found.groupdict().get("host", _HOST)
    return own if host != _HOST else has_ended(host, found["pid"])


def is_half_written(name: str) -> bool:
    """Return whether a file of a run is not whole yet, or never will be, whether or not its writer lives.

    Example:
        >>> is_half_written(temporary_name("a.json")), is_half_written("a.json")
        (True, False)
    """
    return _half_written(name, own=True) is not None


def _half_written(name: str, own: bool) -> re.Match[str] | None:
    return _PARTIAL.fullmatch(name) or (_EARLIER.fullmatch(name) if own else None)


def sync(path: Path) -> None:
    """Ask the system to bring a file or folder to the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 checksum of a file in hexadecimal, without holding all of it."""
    with open(path, "rb") as file:
        return sha256_of_open(file)


def sha256_of_open(file: BinaryIO) -> str:
    """Return the SHA-256 checksum of a whole open file, which is then read to its end."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path` as indented JSON, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=True) + "\n", encoding="utf-8")

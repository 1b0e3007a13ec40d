"""Zip archives, such as .npz and .keras files: what they announce is checked before anything is unpacked."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.foreign_files import guarded, reading
from kexp.core.memory_budget import require_bytes

_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_ENCRYPTED = 1  # bit of a member's flags


@contextmanager
def open_zip(
    path: Path, what: str, advice: str, *, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose members are each there once, not encrypted, and together fit into memory.

    No member gives more bytes than it announces. Where one is damaged is found while it is read: do that
    under `kexp.core.foreign_files.guarded`.

    Args:
        path: The file.
        what: Its format, with an article, as "an .npz archive".
        advice: What to do about a damaged one.
        wanted: Whether a member of a name is going to be read; default: all are.

    Raises:
        InputError: It is no such archive.

    Example:
        >>> from kexp.data import sample_path
        >>> with open_zip(sample_path("japanese_vowels"), "an .npz archive", "write it again") as archive:
        ...     archive.namelist()[:2]
        ['x_train.npy', 'length_train.npy']
    """
    with reading(path, what, advice):
        archive = zipfile.ZipFile(path)
    with archive:
        members = archive.infolist()
        names = Counter(member.filename for member in members)
        repeated = [name for name, count in names.items() if count > 1]
        if repeated:
            raise InputError(
                f"file {path}: expected {what}, but {repeated[0]!r} is in it more than once; {advice}."
            )
        members = [member for member in members if wanted(member.filename)]
        for member in members:
            _require_readable(member, f"file {path}: expected {what}", advice)
        require_bytes(sum(member.file_size for member in members), f"file {path}")
        yield archive


def read_zip_member(path: Path, member: str, what: str, advice: str) -> bytes:
    """Return the content of one member of a zip archive.

    Args:
        path: The archive.
        member: Its name in there.
        what: The archive's format, with an article.
        advice: What to do about a damaged one.

    Raises:
        InputError: The archive cannot be read, or has no such member.
    """
    with open_zip(path, what, advice, wanted=member.__eq__) as archive:
        if member not in archive.namelist():
            raise InputError(f"file {path}: expected {what}, but it holds no {member}; {advice}.")
        with guarded(f"file {path}", what, advice):
            return archive.read(member)


def _require_readable(member: zipfile.ZipInfo, expected: str, advice: str) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise InputError(f"{expected}, but {member.filename!r} in it is encrypted; {advice}.")
    if member.compress_type not in _METHODS:
        raise InputError(
            f"{expected}, but {member.filename!r} in it is packed by method {member.compress_type}, which "
            f"is unknown here; {advice}."
        )

"""Files that may be compressed: opened, and their size known, before much of them is read."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from kexp.core.foreign_files import reading
from kexp.core.memory_budget import Meter, require_bytes
from kexp.core.reading_progress import Work

_SAMPLE = 2**24  # bytes at the beginning, by which the rest is judged


@contextmanager
def open_within_budget(path: Path, what: str, advice: str) -> Iterator[BinaryIO]:
    """Open a file, decompressed if its name ends in .gz, that gives no more bytes than the memory budget.

    Where it is damaged is found while it is read: do that under `kexp.core.foreign_files.guarded`.

    Args:
        path: The file.
        what: Its format, with an article.
        advice: What to do about a damaged one.

    Raises:
        InputError: There is no such file, or, while it is read, more comes out of it.

    Example:
        >>> from kexp.data import sample_path
        >>> with open_within_budget(sample_path("moby_dick"), "text", "pack it again") as file:
        ...     file.read(9)
        b'CHAPTER 1'
    """
    with reading(path, what, advice):
        packed = open(path, "rb")  # noqa: SIM115  # closed below, where nothing is guarded
    with packed:
        if path.suffix.lower() != ".gz":
            yield packed
            return
        with gzip.GzipFile(fileobj=packed) as content:
            yield io.BufferedReader(_Counted(content, f"file {path}"))


class _Counted(io.RawIOBase):
    """What a compressed file holds, up to the budget."""

    def __init__(self, content: gzip.GzipFile, name: str) -> None:
        self._content, self._meter = content, Meter(name)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._content.readinto(buffer)
        self._meter.add(count)
        return count


class Watched(io.RawIOBase):
    """A file whose bytes are counted as work that is done, as they are read.

    Args:
        file: It is left open.
        work: Counts bytes.
    """

    def __init__(self, file: BinaryIO, work: Work) -> None:
        self._file, self._work = file, work

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        self._work.advance(len(content))
        return len(content)


def sample_of(path: Path, what: str, advice: str) -> tuple[bytes, int]:
    """Return the first bytes of what a file holds, and about how many there are in all.

    The rest of a compressed file is taken to shrink as its beginning does, so that a small file of a great
    many equal bytes is known for what it is before it is read.

    Args:
        path: The file; decompressed if its name ends in .gz.
        what: Its format, with an article.
        advice: What to do about a damaged one.

    Raises:
        InputError: It cannot be read, or does not fit into memory.

    Example:
        >>> from kexp.data import sample_path
        >>> sample, count = sample_of(sample_path("sunspots"), "text", "write it again")
        >>> sample[:4], len(sample) == count
        (b'year', True)
    """
    with reading(path, what, advice), open(path, "rb") as packed:
        count = path.stat().st_size
        if path.suffix.lower() != ".gz":
            sample = packed.read(_SAMPLE)
        else:
            with gzip.GzipFile(fileobj=packed) as content:
                sample = content.read(_SAMPLE)
                if len(sample) < _SAMPLE or not content.read(1):
                    count = len(sample)
                else:
                    count = len(sample) * count // max(packed.tell(), 1)
    require_bytes(count, f"file {path}")
    return sample, count

"""Where files are kept: in a folder of this machine, or at a path that TensorFlow's file systems reach."""

from __future__ import annotations

import errno
import fnmatch
import io
import json
import os
import posixpath
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from kexp.core.files import is_leftover, remove_leftovers, replacing, temporary_name
from kexp.core.json_files import Keys, parse_json


def is_remote(path: Path | str) -> bool:
    """Return whether a path has a scheme, such as gs://bucket/folder.

    Example:
        >>> is_remote("gs://bucket/folder"), is_remote("runs/first")
        (True, False)
    """
    return isinstance(path, str) and "://" in path


def storage(folder: Path | str) -> Storage:
    """Return what keeps files in a folder: at a path with a scheme through `tf.io.gfile`."""
    return _Remote(str(folder)) if is_remote(folder) else _Local(Path(folder))


class Storage(ABC):
    """A folder whose files are either whole or not there."""

    @abstractmethod
    def create(self) -> None:
        """Make the folder and those above it, unless they are there."""

    @abstractmethod
    def names(self, pattern: str) -> list[str]:
        """Return the names of the files that match, in order; none when there is no folder."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def opened(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file to be read."""

    @abstractmethod
    def replacing(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Yield an open file to write, and to read back, that takes its name once it is whole."""

    def write_json(self, name: str, content: Any) -> None:
        """Write `content` as indented JSON."""
        with self.replacing(name) as file:
            file.write((json.dumps(content, indent=2) + "\n").encode())

    def read_json(
        self, name: str, keys: Keys, *, advice: str, newest_format: int | None = None
    ) -> dict[str, Any]:
        """Return the object in a JSON file, once it is known to hold what it must; see `read_json_file`.

        Raises:
            OSError: It is missing or cannot be reached.
            InputError: It holds something else.
        """
        with self.opened(name) as file:
            content = file.read()
        place = f"file {self.path(name)}"
        return parse_json(content, place, keys, advice=advice, newest_format=newest_format)

    @abstractmethod
    def path(self, name: str) -> str:
        """Return where a file is, for a message."""

    @abstractmethod
    def remove_leftovers(self) -> None:
        """Remove what killed processes have left half written; none may be at work in the folder."""


class _Local(Storage):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> str:
        return str(self._folder / name)

    def remove_leftovers(self) -> None:
        remove_leftovers(self._folder, own=True)

    def create(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def names(self, pattern: str) -> list[str]:
        return sorted(path.name for path in self._folder.glob(pattern))

    def remove(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)

    def opened(self, name: str) -> AbstractContextManager[BinaryIO]:
        path = self._folder / name
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited at for ever
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        return open(path, "rb")

    @contextmanager
    def replacing(self, name: str) -> Iterator[BinaryIO]:
        with replacing(self._folder / name) as temporary, open(temporary, "w+b") as file:
            yield file


class _Remote(Storage):
    """Imports TensorFlow when it is first asked for something, and not before."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def create(self) -> None:
        with _file_system() as files:
            files.makedirs(self._folder)

    def names(self, pattern: str) -> list[str]:
        with _file_system() as files:
            # Asked first: what is out of reach, listdir calls absent.
            found = files.listdir(self._folder) if files.exists(self._folder) else []
        return sorted(fnmatch.filter(found, pattern))

    def remove(self, name: str) -> None:
        with _file_system() as files:
            if files.exists(self.path(name)):
                files.remove(self.path(name))

    def remove_leftovers(self) -> None:
        for name in self.names(".*"):
            if is_leftover(name, own=True):
                self.remove(name)

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        with _file_system() as files, files.GFile(self.path(name), "rb") as file:
            content = file.read()
        yield io.BytesIO(content)

    @contextmanager
    def replacing(self, name: str) -> Iterator[BinaryIO]:
        # In memory first: a zip file is written by going back in it, which these file systems cannot.
        written = io.BytesIO()
        yield written
        temporary = self.path(temporary_name(name))
        with _file_system() as files:
            with files.GFile(temporary, "wb") as file:
                file.write(written.getvalue())
            files.rename(temporary, self.path(name), overwrite=True)

    def path(self, name: str) -> str:
        return posixpath.join(self._folder, name)


@contextmanager
def _file_system() -> Iterator[Any]:
    """Yield `tf.io.gfile`, with its errors turned into those that files of this machine have.

    A file that is absent is told from one that cannot be reached: that is no reason to go on without it.
    """
    import tensorflow as tf

    try:
        yield tf.io.gfile
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), error.message) from error
    except tf.errors.OpError as error:
        raise ConnectionError(error.message) from error

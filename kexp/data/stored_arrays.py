"""Stored arrays: samples that lie in a file, of which those that are asked for are read."""

from __future__ import annotations

import math
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.cache_dir import cache_dir, full_disk_explained
from kexp.core.errors import InputError

_BLOCK_BYTES = 1 << 22
_MOST_ROWS = 1 << 16  # of a block, whose texts are objects
_MOST_WORDS = 10_000
_SPARSE = 8  # times the rows that are wanted: up to so many are read in one go


class _RowFile:
    """Rows of one shape in an open file.

    They are read with calls of the system rather than by a memory map, whose pages would count as memory of
    the process until the system takes them back.
    """

    def __init__(self, descriptor: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.descriptor, self.shape, self.dtype = descriptor, shape, dtype
        self.row_bytes = math.prod(shape) * dtype.itemsize

    def __del__(self) -> None:
        os.close(self.descriptor)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return some rows, in the order in which they are asked for."""
        if not len(rows) or not self.row_bytes:
            return np.zeros((len(rows), *self.shape), self.dtype)
        first, count = int(rows.min()), int(np.ptp(rows)) + 1
        if count <= len(rows) or count <= min(_SPARSE * len(rows), _SPARSE * _BLOCK_BYTES // self.row_bytes):
            span = self._span(first, count)
            return span if np.array_equal(rows, np.arange(first, first + count)) else span[rows - first]
        found = np.empty((len(rows), self.row_bytes), np.uint8)
        whole, size = memoryview(found.reshape(-1)), self.row_bytes
        for place, row in enumerate(rows.tolist()):
            self._fill(whole[place * size : (place + 1) * size], row * size)
        return found.view(self.dtype).reshape(len(rows), *self.shape)

    def _span(self, first: int, count: int) -> np.ndarray:
        found = np.empty(count * self.row_bytes, np.uint8)
        self._fill(memoryview(found), first * self.row_bytes)
        return found.view(self.dtype).reshape(count, *self.shape)

    def _fill(self, buffer: memoryview, offset: int) -> None:
        done = 0
        while done < len(buffer):  # the system reads 2 GB at most in a call
            count = os.preadv(self.descriptor, [buffer[done:]], offset + done)
            if not count:
                raise OSError("a file of the cache folder has become shorter while it was read")
            done += count


class StoredArray:
    """An array in a file, of which rows are read where they are asked for; indexed, it gives NumPy's arrays.

    What takes rows of it with `taken` is a view of the same file, and `numpy.asarray` reads all of it.

    Args:
        file: The rows of the file; codes of words, or texts as UTF-8 of one length.
        rows: (samples,) numbers of the rows that are those of this array.
        words: (words,) str objects that the codes stand for; None: the rows are no codes.
    """

    def __init__(self, file: _RowFile, rows: np.ndarray, words: np.ndarray | None = None) -> None:
        self._file, self._rows, self._words = file, rows, words
        self.shape: tuple[int, ...] = (len(rows), *file.shape)
        is_text = words is not None or file.dtype.kind == "S"
        self.dtype: np.dtype[Any] = np.dtype(object) if is_text else file.dtype
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        """Bytes of its rows in the file."""
        return len(self._rows) * self._file.row_bytes

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, tuple):
            return (
                self[index[0]][(slice(None), *index[1:])] if isinstance(index[0], slice) else self[:][index]
            )
        chosen = self._rows[index]
        found = self._file.read(np.atleast_1d(chosen))
        if self._words is not None:
            values = self._words[found]
        else:
            values = np.char.decode(found, "utf-8").astype(object) if self.dtype == object else found
        return values if np.ndim(chosen) else values[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = np.concatenate([*self.blocks()]) if len(self) else self[:0]
        return whole if dtype is None else whole.astype(dtype)

    def taken(self, rows: Any) -> StoredArray:
        """Return a view of some samples, of which nothing is read."""
        return StoredArray(self._file, self._rows[rows], self._words)

    def joined(self, other: StoredArray) -> StoredArray:
        """Return a view of these samples and those of another part of the same file after them."""
        assert self._file is other._file
        return StoredArray(self._file, np.concatenate([self._rows, other._rows]), self._words)

    def blocks(self, beside: int = 1) -> Iterator[np.ndarray]:
        """Yield all samples in order, some megabytes at a time.

        Args:
            beside: How many such arrays are read together.
        """
        at_once = min(max(1, _BLOCK_BYTES // max(1, beside * self._file.row_bytes)), _MOST_ROWS)
        for first in range(0, len(self), at_once):
            yield self[first : first + at_once]

    def word_counts(self) -> dict[str, int]:
        """Return how often each of its texts occurs."""
        if self._words is None:
            return dict(sum((Counter(block.tolist()) for block in self.blocks()), Counter[str]()))
        counts = np.zeros(len(self._words), np.int64)
        codes = StoredArray(self._file, self._rows)
        for block in codes.blocks():
            counts += np.bincount(block, minlength=len(counts))
        return {word: int(count) for word, count in zip(self._words.tolist(), counts, strict=True) if count}


class ArrayWriter:
    """Writes rows into a file without a name in the cache folder, which is gone with the process.

    Example:
        >>> writer = ArrayWriter()
        >>> writer.append(np.array([[1.0, 2.0], [3.0, 4.0]], "float32"))
        >>> stored = writer.array()
        >>> stored.shape, stored[[1, 0]].tolist(), stored.taken([1])[:].tolist()
        ((2, 2), [[3.0, 4.0], [1.0, 2.0]], [[3.0, 4.0]])
    """

    def __init__(self) -> None:
        require_positioned_reads()
        self._folder = cache_dir()
        self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        self._row: tuple[tuple[int, ...], np.dtype[Any]] | None = None
        self._count = 0

    def append(self, rows: np.ndarray) -> None:
        """Write (n, …) rows, of the shape and type of those before."""
        row = (rows.shape[1:], rows.dtype)
        assert self._row in (None, row)
        self._row = row
        self._count += len(rows)
        with full_disk_explained(self._folder):
            write_rows(self._file, rows)

    def array(self, words: np.ndarray | None = None) -> StoredArray:
        """Return what was written; with words, as the words that it is codes of."""
        assert self._row is not None
        descriptor = os.dup(self._file.fileno())
        self._file.close()
        return StoredArray(_RowFile(descriptor, *self._row), _all_rows(self._count), words)


def stored_file(path: Path, shape: tuple[int, ...], dtype: Any) -> StoredArray:
    """Return the array of a file, which may be removed afterwards.

    Args:
        path: Of nothing but the rows.
        shape: (samples, …) of the whole.
        dtype: Of its numbers.
    """
    require_positioned_reads()
    rows = _RowFile(os.open(path, os.O_RDONLY), shape[1:], np.dtype(dtype))
    return StoredArray(rows, _all_rows(shape[0]))


@lru_cache(maxsize=1)
def _all_rows(count: int) -> np.ndarray:
    """Return the positions of all rows, one array for all columns of a table."""
    return np.arange(count)


def write_rows(file: Any, rows: np.ndarray) -> None:
    """Write the bytes of rows to an open file without a buffer."""
    left = memoryview(np.ascontiguousarray(rows).reshape(-1).view(np.uint8))
    while left:
        left = left[file.write(left) :]


def require_positioned_reads() -> None:
    """Refuse to read from disk where the system has no reads at a place, as Windows has not.

    Raises:
        InputError: It has none.
    """
    if not hasattr(os, "preadv"):
        raise InputError(
            "in_memory: data are read from disk while they are trained on by preadv, which this system "
            "lacks; give fewer data, or a smaller image_size."
        )


def taken_columns(columns: Mapping[str, StoredArray], rows: Any) -> dict[str, StoredArray]:
    """Return views of some samples of columns, whose positions are one array for all of them."""
    chosen: dict[int, np.ndarray] = {}
    views = {}
    for name, column in columns.items():
        key = id(column._rows)
        if key not in chosen:
            chosen[key] = column._rows[rows]
        views[name] = StoredArray(column._file, chosen[key], column._words)
    return views


def stored_column(values: np.ndarray) -> StoredArray:
    """Return (samples,) numbers or str objects on the disk; where texts are few, each is in memory once.

    Example:
        >>> stored_column(np.array(["b", "a", "b"], object)).word_counts()
        {'b': 2, 'a': 1}
    """
    writer, words = ArrayWriter(), None
    if values.dtype == object:
        import pandas as pd

        codes, found = pd.factorize(values)
        if len(found) > _MOST_WORDS:
            encoded = np.char.encode(found.astype(str), "utf-8")
            for first in range(0, len(codes), _MOST_ROWS):
                writer.append(encoded[codes[first : first + _MOST_ROWS]])
            return writer.array()
        values, words = codes.astype(np.int32), np.asarray(found, object)
    writer.append(values)
    return writer.array(words)


def blocks_of(array: Any, beside: int = 1) -> Iterator[np.ndarray]:
    """Yield the samples of an array in order: of one on the disk as its `blocks` do, else all."""
    if isinstance(array, StoredArray):
        yield from array.blocks(beside)
    else:
        yield array


def column_blocks(columns: Sequence[Any]) -> Iterator[np.ndarray]:
    """Yield (rows, columns) of columns of one type in order: of those on the disk some rows at a time.

    A single column comes whole, since NumPy adds up its numbers otherwise than those of several.
    """
    if len(columns) == 1:
        yield np.asarray(columns[0])[:, None]
        return
    for blocks in zip(*(blocks_of(column, len(columns)) for column in columns), strict=True):
        yield np.stack(blocks, axis=-1)


def is_stored(inputs: Any) -> bool:
    """Return whether inputs lie on the disk: an array, or one by name."""
    arrays = inputs.values() if isinstance(inputs, Mapping) else [inputs]
    return any(isinstance(array, StoredArray) for array in arrays)

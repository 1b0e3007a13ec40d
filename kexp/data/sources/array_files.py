"""Files of arrays: .npz, and folders of IDX files such as MNIST's."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import ClassVar

import numpy as np

from kexp.core.compressed_files import open_within_budget
from kexp.core.errors import InputError
from kexp.core.foreign_files import guarded
from kexp.core.memory_budget import require_bytes
from kexp.core.numpy_files import read_npz
from kexp.data.dataset import Source
from kexp.data.sources.arrays import from_mapping
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions

IDX_NAME = re.compile(r"(train|t10k|test)-(images|labels)[-.]idx\d-ubyte(\.gz)?$")
KEYS = ("x_", "y_", "length_", "class_names", "sample_rate")
MOST_AXES = 8
MOST_EXPANDED = 1100  # bytes that gzip makes of one
_IDX = "an IDX file"
_AGAIN = "fetch it again"
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class NpzFile(DataSource):
    """An archive of arrays."""

    name: ClassVar[str] = "npz"
    description: ClassVar[str] = "arrays in an .npz file"
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        return read_npz_file(place.path, place.name)


class IdxFolder(DataSource):
    """A folder of IDX files."""

    name: ClassVar[str] = "idx"
    description: ClassVar[str] = "images in IDX files"
    folder_noun: ClassVar[str] = "IDX files"

    def holds(self, folder: Path) -> bool:
        return bool(idx_files(folder))

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        return read_idx_folder(place.path, place.name)


def read_npz_file(path: Path, name: str) -> Source:
    """Read an .npz file with x_train and y_train, and x_test, y_test, x_validation, y_validation if there.

    With length_train and so on, the steps of a series after its length are padding. Nothing in the file is
    ever unpickled.

    Raises:
        InputError: For a file that is no .npz, is damaged, lacks keys or holds Python objects.
    """
    advice = "write it with np.savez(path, x_train=…, y_train=…)"
    return from_mapping(read_npz(path, advice, wanted=lambda key: key.startswith(KEYS)), name)


def idx_files(folder: Path) -> dict[tuple[str, str], Path]:
    """IDX files of a folder by part and content, such as ("train", "images")."""
    found = {}
    for path in sorted(folder.iterdir()):
        if match := IDX_NAME.match(path.name):
            part = "train" if match[1] == "train" else "test"
            found[part, match[2]] = path
    return found


def read_idx_folder(folder: Path, name: str) -> Source:
    """Read train-images-idx3-ubyte, train-labels-idx1-ubyte and t10k-… (or test-…), or .gz of them.

    Raises:
        InputError: For a missing, damaged or truncated file.
    """
    files = idx_files(folder)
    parts = {}
    for part in dict.fromkeys(["train", *(part for part, _ in files)]):
        for content in ("images", "labels"):
            if (part, content) not in files:
                raise InputError(
                    f"folder {folder}: has IDX files, but no {part}-{content}-idx…-ubyte (or .gz); add it."
                )
        parts[part] = (read_idx(files[part, "images"]), read_idx(files[part, "labels"]))
    return Source(name, parts)


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file: two zero bytes, a type, the number of axes, their sizes, the values.

    Raises:
        InputError: For a wrong magic number, another number of bytes than the header announces, or more than
            fits into memory.
    """
    with open_within_budget(path, _IDX, _AGAIN) as file:
        with guarded(f"file {path}", _IDX, _AGAIN):
            header = file.read(4)
            sizes = file.read(4 * header[3]) if len(header) == 4 else b""
        dtype, shape = _announced(path, header, sizes)
        size = dtype.itemsize * math.prod(shape)
        require_bytes(size, f"file {path}")
        _require_length(path, 4 + len(sizes) + size)
        with guarded(f"file {path}", _IDX, _AGAIN):
            values = file.read(size + 1)
    if len(values) != size:
        received = f"{len(values)}" if len(values) < size else "more"
        raise InputError(
            f"file {path}: expected {size} bytes of values for shape {shape}, received {received}; it is "
            f"truncated or damaged, so {_AGAIN}."
        )
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _require_length(path: Path, size: int) -> None:
    """Refuse a file that is too short, or too small to become as long as it says."""
    packed = path.stat().st_size
    most = packed * MOST_EXPANDED if path.suffix.lower() == ".gz" else packed
    if size > most:
        raise InputError(
            f"file {path}: expected {size} bytes, received {'at most ' if most > packed else ''}{most}; it "
            f"is truncated or damaged, so {_AGAIN}."
        )


def _announced(path: Path, header: bytes, sizes: bytes) -> tuple[np.dtype, tuple[int, ...]]:
    """Return the type and the shape of the values of an IDX file."""
    if len(header) < 4 or header[:2] != b"\0\0" or header[2] not in IDX_TYPES or not header[3]:
        raise InputError(
            f"file {path}: expected {_IDX}, which begins with 00 00 and a type, received "
            f"{header.hex(' ') or 'no bytes'}; {_AGAIN}."
        )
    shape = tuple(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, len(sizes), 4))
    if len(shape) != header[3] or len(shape) > MOST_AXES or 0 in shape:
        raise InputError(
            f"file {path}: expected {_IDX} of 1 to {MOST_AXES} axes, each of 1 or more, received the shape "
            f"{str(shape)[:60]} for {header[3]} axes; it is damaged, so {_AGAIN}."
        )
    return np.dtype(IDX_TYPES[header[2]]), shape

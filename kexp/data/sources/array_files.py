"""Files of arrays: .npz, and folders of IDX files such as MNIST's."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import Source
from kexp.data.sources.arrays import from_mapping
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions

IDX_NAME = re.compile(r"(train|t10k|test)-(images|labels)[-.]idx\d-ubyte(\.gz)?$")
KEYS = ("x_", "y_", "length_", "class_names")
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class NpzFile(DataSource):
    """An archive of arrays."""

    name: ClassVar[str] = "npz"
    description: ClassVar[str] = "arrays in an .npz file"
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        return read_npz(place.path, place.name)


class IdxFolder(DataSource):
    """A folder of IDX files."""

    name: ClassVar[str] = "idx"
    description: ClassVar[str] = "images in IDX files"
    folder_noun: ClassVar[str] = "IDX files"

    def holds(self, folder: Path) -> bool:
        return bool(idx_files(folder))

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        return read_idx_folder(place.path, place.name)


def read_npz(path: Path, name: str) -> Source:
    """Read an .npz file with x_train and y_train, and x_test, y_test, x_validation, y_validation if there.

    With length_train and so on, the steps of a series after its length are padding. Nothing in the file is
    ever unpickled.

    Raises:
        InputError: For a file that is no .npz, is damaged, lacks keys or holds Python objects.
    """
    try:
        with open(path, "rb") as file:  # np.load leaves a damaged file open
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise InputError(
                    f"file {path}: expected an .npz archive, received one .npy array; use np.savez."
                )
            wanted = [key for key in archive.files if key.startswith(KEYS)]
            return from_mapping({key: _member(path, archive, key) for key in wanted}, name)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"file {path}: expected an .npz archive of arrays, received something that cannot be read as one "
            f"({type(error).__name__}); write it with np.savez(path, x_train=…, y_train=…)."
        ) from None


def _member(path: Path, archive: Mapping[str, np.ndarray], key: str) -> np.ndarray:
    try:
        return archive[key]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise InputError(
            f"file {path}: {key} holds Python objects, which are never unpickled; expected numbers, or text "
            f"saved with dtype str; convert it with astype and save again."
        ) from None


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
        InputError: For a wrong magic number, or another number of bytes than the header announces.
    """
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES or not content[3]:
        raise InputError(
            f"file {path}: expected an IDX file, which begins with 00 00 and a type, received "
            f"{content[:4].hex(' ') or 'no bytes'}; fetch it again."
        )
    start = 4 + 4 * content[3]
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    dtype = np.dtype(IDX_TYPES[content[2]])
    values = dtype.itemsize
    for size in shape:
        values *= size
    if len(content) != start + values:
        raise InputError(
            f"file {path}: expected {start + values} bytes for shape {tuple(shape)}, received "
            f"{len(content)}; it is truncated or damaged, fetch it again."
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"file {path}: the gzip file is truncated or damaged ({error}); fetch it again."
        ) from None

"""NumPy's files, .npy and .npz: arrays of numbers and text whose headers are checked before they are read."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np

from kexp.core.errors import InputError
from kexp.core.foreign_files import guarded, reading
from kexp.core.memory_budget import require_bytes
from kexp.core.zip_archives import open_zip

_NPZ = "an .npz archive of arrays"
_NPY = "an array in an .npy file"


def read_npz(
    path: Path, advice: str, *, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, np.ndarray]:
    """Return arrays of an .npz archive by name, without ever unpickling anything.

    Args:
        path: The file.
        advice: What to do about a damaged one, as "write it again with np.savez".
        wanted: Whether an array of a name is to be read; default: all are.

    Raises:
        InputError: It is missing or damaged, an array in it is no plain one, or it does not fit into memory.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npz"
        >>> np.savez(path, steps=[1, 2], names=["a"])
        >>> {name: array.tolist() for name, array in read_npz(path, "write it again").items()}
        {'steps': [1, 2], 'names': ['a']}
    """
    _require_no_npy(path, advice)
    arrays = {}
    with open_zip(path, _NPZ, advice, wanted=lambda name: wanted(name.removesuffix(".npy"))) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if not wanted(name):
                continue
            place = f"file {path}: {name}"
            with guarded(place, _NPY, advice), archive.open(member) as file:
                start = _start_of(file)
            _require_plain(*start, member.file_size, place, advice)
            with guarded(place, _NPY, advice), archive.open(member) as file:
                arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
            _require_unicode(arrays[name], place, advice)
    return arrays


def read_npy(path: Path, advice: str) -> np.ndarray:
    """Return the array of an .npy file, without ever unpickling anything.

    Args:
        path: The file.
        advice: What to do about a damaged one.

    Raises:
        InputError: As `read_npz`.
    """
    with reading(path, _NPY, advice), open(path, "rb") as file:
        size = path.stat().st_size
        start = _start_of(file)
    require_bytes(size, f"file {path}")
    _require_plain(*start, size, f"file {path}", advice)
    with reading(path, _NPY, advice), open(path, "rb") as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    _require_unicode(array, f"file {path}", advice)
    return array


def _start_of(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype, int]:
    """Return the shape, the type and the length of the header of an .npy file."""
    version = np.lib.format.read_magic(file)
    # Version 3 differs from 2 in the names of fields alone, and what has fields is refused.
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype, file.tell()


def _require_plain(
    shape: tuple[int, ...], dtype: np.dtype, start: int, size: int, place: str, advice: str
) -> None:
    if dtype.hasobject:
        raise InputError(
            f"{place} holds Python objects, which are never unpickled; expected numbers, or text saved with "
            "dtype str; convert it with astype and save again."
        )
    if dtype.names is not None or dtype.subdtype is not None:
        raise InputError(f"{place} has the type {dtype}, expected one number or text each; {advice}.")
    if min(shape, default=0) < 0 or start + math.prod(shape) * dtype.itemsize != size:
        raise InputError(
            f"{place} has {size - start} bytes of values, which are not those of the shape {str(shape)[:60]} "
            f"and the type {dtype} that it announces; it is truncated or damaged, so {advice}."
        )


def _require_unicode(array: np.ndarray, place: str, advice: str) -> None:
    """Refuse text of which a character is none, at which NumPy would raise later."""
    if array.dtype.kind == "U" and array.nbytes:
        codes = np.ascontiguousarray(array.reshape(-1)).view(array.dtype.str[0] + "u4")
        if codes.max() > sys.maxunicode:
            raise InputError(f"{place} holds text with a character that Unicode has not; {advice}.")


def _require_no_npy(path: Path, advice: str) -> None:
    with reading(path, _NPZ, advice), open(path, "rb") as file:
        beginning = file.read(len(np.lib.format.MAGIC_PREFIX))
    if beginning == np.lib.format.MAGIC_PREFIX:
        raise InputError(f"file {path}: expected an .npz archive, received one .npy array; use np.savez.")

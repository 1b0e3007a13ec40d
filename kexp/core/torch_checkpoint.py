"""Checkpoints of PyTorch, of both of its formats: tensors by name, without PyTorch and without unpickling."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.foreign_files import guarded, reading
from kexp.core.memory_budget import Meter, require_bytes
from kexp.core.tensor_bytes import item_size, numbers_in
from kexp.core.tensor_pickle import StoredNumbers, StoredTensor, read_tensor_pickle
from kexp.core.zip_archives import open_zip

_WHAT = "a checkpoint of PyTorch"
_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the format before PyTorch 1.6
_VERSION = 1001
_PICKLE = "data.pkl"

Numbers = Callable[[StoredNumbers], np.ndarray]


def read_torch_checkpoint(path: Path, advice: str) -> dict[str, np.ndarray]:
    """Return the tensors of a checkpoint that `torch.save(model.state_dict(), path)` wrote.

    The format is that of PyTorch's `torch/serialization.py`: since 1.6 a zip archive of a pickle and the
    bytes of each storage, before that five pickles in a row and the storages behind them. Nothing in it is
    called, looked up or imported.

    Args:
        path: The file.
        advice: What to do about one that is refused, as "save the state_dict of the model alone".

    Returns:
        Arrays by name, float32 of what was bfloat16; of a dictionary with a "state_dict" in it those of that.

    Raises:
        InputError: It is damaged, holds anything but tensors, or does not fit into memory.
    """
    with reading(path, _WHAT, advice):
        is_zip = zipfile.is_zipfile(path)
        size = path.stat().st_size
    require_bytes(size, f"file {path}")
    return _of_archive(path, advice) if is_zip else _of_pickles(path, size, advice)


def _of_archive(path: Path, advice: str) -> dict[str, np.ndarray]:
    place = f"file {path}"
    with open_zip(path, _WHAT, advice) as archive:
        found = [name for name in archive.namelist() if name.endswith(f"/{_PICKLE}") and name.count("/") == 1]
        if len(found) != 1:
            raise InputError(f"{place}: expected {_WHAT}, but it holds no {_PICKLE}; {advice}.")
        folder = found[0].removesuffix(_PICKLE)
        members = {member.filename: member.file_size for member in archive.infolist()}
        order = (
            _member(archive, f"{folder}byteorder", place, advice) if f"{folder}byteorder" in members else b""
        )
        if order.strip() not in (b"", b"little"):
            raise InputError(f"{place}: has numbers in big-endian order, which is not read; {advice}.")
        described = read_tensor_pickle(io.BytesIO(_member(archive, found[0], place, advice)), place, advice)

        def numbers(storage: StoredNumbers) -> np.ndarray:
            name = f"{folder}data/{storage.key}"
            _require_size(storage, members.get(name, 0), place, advice)
            return numbers_in(_member(archive, name, place, advice), storage.dtype)

        return _arrays(described, numbers, place, advice)


def _member(archive: zipfile.ZipFile, name: str, place: str, advice: str) -> bytes:
    with guarded(place, _WHAT, advice):
        return archive.read(name)


def _of_pickles(path: Path, size: int, advice: str) -> dict[str, np.ndarray]:
    place = f"file {path}"
    with open(path, "rb") as file:
        magic, version, system, described, keys = (read_tensor_pickle(file, place, advice) for _ in range(5))
        if (
            (magic, version) != (_MAGIC, _VERSION)
            or not isinstance(system, dict)
            or not isinstance(keys, list)
        ):
            raise InputError(f"{place}: expected {_WHAT}, received another pickle; {advice}.")
        if system.get("little_endian") is not True:
            raise InputError(f"{place}: has numbers in big-endian order, which is not read; {advice}.")
        storages = {one.storage.key: one.storage for one in _tensors(described, place, advice).values()}
        read: dict[str, np.ndarray] = {}
        for key in keys:
            if key not in storages:
                raise InputError(f"{place}: has a storage of which no tensor is known; {advice}.")
            read[key] = _next_storage(file, storages[key], size, place, advice)
    if missing := storages.keys() - read.keys():
        raise InputError(f"{place}: lacks {len(missing)} of {len(storages)} storages; {advice}.")
    return _arrays(described, lambda storage: read[storage.key], place, advice)


def _next_storage(file: IO[bytes], storage: StoredNumbers, size: int, place: str, advice: str) -> np.ndarray:
    """Return the numbers of a storage at the place of the file: their count, and they themselves."""
    count = int.from_bytes(file.read(8), "little", signed=True)
    wanted = storage.count * item_size(storage.dtype)
    announced = count * item_size(storage.dtype)
    received = min(announced, size - file.tell()) if announced == wanted else announced
    _require_size(storage, received, place, advice)
    return numbers_in(file.read(wanted), storage.dtype)


def _require_size(storage: StoredNumbers, received: int, place: str, advice: str) -> None:
    expected = storage.count * item_size(storage.dtype)
    if received != expected:
        raise InputError(
            f"{place}: announces {expected} bytes of the storage {storage.key[:20]!r} and has {received}; it "
            f"is truncated or damaged, so {advice}."
        )


def _tensors(described: Any, place: str, advice: str) -> dict[str, StoredTensor]:
    """Return the tensors that are described, by name."""
    if isinstance(described, dict) and isinstance(described.get("state_dict"), dict):
        described = described["state_dict"]
    if not isinstance(described, dict) or not described:
        raise InputError(f"{place}: expected tensors by name, received something else; {advice}.")
    for name, tensor in described.items():
        if not isinstance(name, str) or not isinstance(tensor, StoredTensor):
            raise InputError(
                f"{place}: expected tensors by name, received a {type(tensor).__name__} under "
                f"{str(name)[:40]!r}; {advice}."
            )
    return described


def _arrays(described: Any, numbers: Numbers, place: str, advice: str) -> dict[str, np.ndarray]:
    tensors = _tensors(described, place, advice)
    meter = Meter(place)
    for tensor in tensors.values():
        meter.add(int(np.prod(tensor.shape, dtype=object)) * item_size(tensor.storage.dtype))
    arrays = {}
    for name, tensor in tensors.items():
        stored = numbers(tensor.storage)
        strides = [stride * stored.itemsize for stride in tensor.strides]
        view = np.lib.stride_tricks.as_strided(
            stored[tensor.offset :], tensor.shape, strides, writeable=False
        )
        arrays[name] = view.copy()
    return arrays

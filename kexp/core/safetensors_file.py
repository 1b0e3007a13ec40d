"""Safetensors files: a header of JSON that is checked in all it says, and the numbers behind it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from kexp.core.constraints import AtLeast
from kexp.core.errors import InputError
from kexp.core.foreign_files import reading
from kexp.core.json_files import parse_json, require_keys
from kexp.core.memory_budget import require_bytes
from kexp.core.tensor_bytes import BFLOAT16, item_size, numbers_in

_WHAT = "a safetensors file"
_LONGEST_HEADER = 100_000_000  # bytes, as of the format's own reader
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": BFLOAT16,
    "BOOL": "|b1",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
}
_TENSOR = {
    "dtype": str,
    "shape": list[Annotated[int, AtLeast(0)]],
    "data_offsets": tuple[Annotated[int, AtLeast(0)], Annotated[int, AtLeast(0)]],
}


def read_safetensors(path: Path, advice: str) -> dict[str, np.ndarray]:
    """Return the tensors of a safetensors file by name.

    The format is that of https://github.com/huggingface/safetensors#format: eight bytes with the length of
    the header, the header, and the numbers, which must follow one another without a gap to the end.

    Args:
        path: The file.
        advice: What to do about a damaged one.

    Returns:
        Arrays by name, float32 of what was bfloat16.

    Raises:
        InputError: It is damaged, its header says what is not so, or it does not fit into memory.

    Example:
        >>> import json, tempfile
        >>> header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
        >>> path = Path(tempfile.mkdtemp()) / "w.safetensors"
        >>> _ = path.write_bytes(len(header).to_bytes(8, "little") + header + np.float32([1, 2]).tobytes())
        >>> read_safetensors(path, "save it again")
        {'w': array([1., 2.], dtype=float32)}
    """
    place = f"file {path}"
    with reading(path, _WHAT, advice), open(path, "rb") as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        fits = 2 <= length <= min(_LONGEST_HEADER, size - 8)
        header = file.read(length) if fits else b""
    if not fits:
        raise InputError(f"{place}: expected {_WHAT}, announces a header of {length} bytes; {advice}.")
    require_bytes(size, place)
    entries = parse_json(header, place, {}, advice=advice)
    entries.pop("__metadata__", None)
    for name, entry in entries.items():
        _require_tensor(entry, f"{place}: {name[:60]!r}", advice)
    _require_contiguous(entries, size - 8 - length, place, advice)
    with reading(path, _WHAT, advice), open(path, "rb") as file:
        file.seek(8 + length)
        content = memoryview(file.read())
    return {name: _array(entry, content) for name, entry in entries.items()}


def _require_tensor(entry: Any, place: str, advice: str) -> None:
    require_keys(entry, place, _TENSOR, advice=advice)
    if entry["dtype"] not in _DTYPES:
        raise InputError(f"{place}: has the type {entry['dtype'][:20]!r}, which is not read; {advice}.")
    first, end = entry["data_offsets"]
    expected = math.prod(entry["shape"]) * item_size(_DTYPES[entry["dtype"]])
    if end - first != expected or len(entry["shape"]) > 32:
        raise InputError(
            f"{place}: has {end - first} bytes, which are not those of its shape and type; {advice}."
        )


def _require_contiguous(entries: dict[str, Any], size: int, place: str, advice: str) -> None:
    """Refuse tensors that overlap, leave a gap, or do not end where the file does."""
    reached = 0
    for first, end in sorted(tuple(entry["data_offsets"]) for entry in entries.values()):
        if first != reached:
            raise InputError(
                f"{place}: has a tensor at byte {first}, where the one before ends at {reached}; {advice}."
            )
        reached = end
    if reached != size:
        raise InputError(f"{place}: announces {reached} bytes of tensors and has {size}; {advice}.")


def _array(entry: dict[str, Any], content: memoryview) -> np.ndarray:
    first, end = entry["data_offsets"]
    return numbers_in(content[first:end], _DTYPES[entry["dtype"]]).reshape(entry["shape"])

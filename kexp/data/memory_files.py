"""Data in memory kept as files, for processes and machines that are given the data by a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.files import replacing, sha256_of, write_json
from kexp.core.foreign_files import guarded, reading, require_checksum
from kexp.core.json_files import Keys, read_json_file
from kexp.core.numpy_files import read_npz
from kexp.data.memory_content import Content, text_arrays, texts_of

_DESCRIPTION = "data.json"
_NPZ, _PARQUET = "data.npz", "data.parquet"
_FORMAT = 1
_KEYS: Keys = {
    "in_memory": str,
    "fingerprint": str,
    "file": str,
    "sha256": str,
    "arrays": list[str],
    "structure": dict[str, Any],
}
_ADVICE = "give the data again, which writes them anew"


def keep(content: Content, folder: Path) -> None:
    """Write data into a folder, as arrays in an .npz file or a table in Parquet, unless they are there.

    What another process will read is compared with what was given; files that are half written after a kill
    are written anew.

    Args:
        content: What the data hold.
        folder: Made if it is not there; its own, but for data that were kept before.

    Raises:
        InputError: The data cannot be kept so that they are read as they were given.
    """
    if content.structure.get("dataset", {}).get("streamed"):
        raise InputError(
            f"data {content.structure['dataset']['name']!r} are read while they are trained on, and cannot "
            "be kept for other processes; make the stream in the recipe, or give data that are all in memory."
        )
    if _are_kept(content, folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    rows = {array.shape for array in content.arrays.values()}
    as_table = (
        content.form == "DataFrame" and len(rows) == 1 and all(map(_has_arrow_type, content.arrays.values()))
    )
    path = folder / (_PARQUET if as_table else _NPZ)
    with replacing(path) as temporary:
        (_write_parquet if as_table else _write_npz)(temporary, content.arrays)
    description = {
        "format": _FORMAT,
        "in_memory": content.form,
        "fingerprint": content.fingerprint,
        "file": path.name,
        "sha256": sha256_of(path),
        "arrays": list(content.arrays),
        "structure": content.structure,
    }
    write_json(folder / _DESCRIPTION, description)
    if Content.of(read_kept(folder).value()).fingerprint != content.fingerprint:
        (folder / _DESCRIPTION).unlink()
        path.unlink()
        raise InputError(
            f"data in memory ({content.form}) cannot be kept for other processes exactly as they are; write "
            "them to a file, and give its path."
        )


def read_kept(folder: Path) -> Content:
    """Return the content of the data that `keep` wrote.

    Raises:
        InputError: They are not there, or damaged.
    """
    described = read_json_file(folder / _DESCRIPTION, _KEYS, advice=_ADVICE, newest_format=_FORMAT)
    if described["file"] not in (_NPZ, _PARQUET):
        raise InputError(f"file {folder / _DESCRIPTION}: file must be {_NPZ} or {_PARQUET}; {_ADVICE}.")
    path, names = folder / described["file"], described["arrays"]
    require_checksum(path, described["sha256"], "the sweep", _ADVICE)
    arrays = _read_parquet(path, names) if described["file"] == _PARQUET else _read_npz(path, names)
    content = Content(described["in_memory"], described["structure"], arrays)
    if content.fingerprint != described["fingerprint"]:
        raise InputError(f"file {path}: does not hold the data that were given; {_ADVICE}.")
    return content


def _are_kept(content: Content, folder: Path) -> bool:
    """Return whether a folder holds these data, whole."""
    try:
        return read_kept(folder).fingerprint == content.fingerprint
    except InputError:  # nothing yet, or what a kill or a damaged disk has left
        return False


def _has_arrow_type(array: np.ndarray) -> bool:
    return (
        array.ndim == 1 and array.dtype.isnative and array.dtype.kind in "biufO" and array.dtype != np.float16
    )


def _write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by their numbers: a name can be anything."""
    members: dict[str, np.ndarray] = {}
    for number, array in enumerate(arrays.values()):
        if array.dtype.kind == "O":
            members[f"{number}.utf8"], members[f"{number}.lengths"] = text_arrays(array)
        else:
            members[str(number)] = array
    np.savez(path, **members)  # type: ignore[arg-type]


def _read_npz(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    members = read_npz(path, _ADVICE)
    return {
        name: members[str(number)]
        if str(number) in members
        else texts_of(members[f"{number}.utf8"], members[f"{number}.lengths"])
        for number, name in enumerate(names)
    }


def _write_parquet(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    import pyarrow
    import pyarrow.parquet

    with guarded("data in memory", "a Parquet table", "write them to a file, and give its path"):
        table = pyarrow.table(
            {
                name: pyarrow.array(array, pyarrow.large_string() if array.dtype.kind == "O" else None)
                for name, array in arrays.items()
            }
        )
        pyarrow.parquet.write_table(table, path, write_page_checksum=True)


def _read_parquet(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    import pyarrow.parquet

    with reading(path, "a Parquet table", _ADVICE):
        table = pyarrow.parquet.read_table(path, page_checksum_verification=True)
        columns = {name: table.column(name).combine_chunks() for name in names}
        return {name: column.to_numpy(zero_copy_only=False) for name, column in columns.items()}

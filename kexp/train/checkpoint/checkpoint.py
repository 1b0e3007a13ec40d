"""Checkpoints: the whole state of a run in files that are either whole or not there."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kexp.core.storage import Storage, storage

FORMAT = 2
_KEPT = 2
_NEWEST = "newest.json"
_PLAIN = "plain"  # the array that holds what JSON can hold


@dataclass(frozen=True)
class Checkpoint:
    """What was saved: arrays by name, and in JSON types the position of the loop and callbacks' states."""

    arrays: dict[str, np.ndarray]
    position: dict[str, Any]
    callbacks: dict[str, Any]


def save_checkpoint(directory: Path | str, step: int, checkpoint: Checkpoint) -> None:
    """Write a checkpoint and remove all but the last two.

    First all of it goes into one file, then a manifest with that file's checksum, and at last the name
    of the newest, by which a checkpoint that has gone missing is noticed. A checkpoint counts once its
    manifest is there.

    Args:
        directory: Where the run's checkpoints are kept; a path with a scheme is reached by `tf.io.gfile`.
        step: Steps taken since the run began; names the files.
        checkpoint: What to save.
    """
    files, stem = storage(directory), _stem(step)
    with files.replacing(f"{stem}.npz") as file:
        _write(file, checkpoint)
        checksum = _digest(file)
    files.write_json(f"{stem}.json", {"format": FORMAT, "sha256": checksum})
    files.write_json(_NEWEST, {"step": step})
    for old in _stems(files)[:-_KEPT]:
        files.remove(f"{old}.json")
        files.remove(f"{old}.npz")


def load_latest(directory: Path | str) -> Checkpoint | None:
    """Return the newest checkpoint that is undamaged, or None when there is none.

    A damaged or missing one is reported by a warning and the one before is used.

    Raises:
        ConnectionError: They are at a path with a scheme that cannot be reached now.
    """
    files = storage(directory)
    for torn in files.names(".*"):  # what a kill in the middle of a write left behind
        files.remove(torn)
    _report_missing(files)
    for stem in reversed(_stems(files)):
        try:
            return _load(files, stem)
        except ConnectionError:
            raise  # it is not damaged, and a run that began anew would overwrite it
        except (OSError, ValueError, KeyError, TypeError) as error:
            warnings.warn(f"Checkpoint {stem} is damaged ({error}); using the one before.", stacklevel=2)
    return None


def newest_step(directory: Path | str) -> int:
    """Return the steps that the newest checkpoint was saved after, 0 when there is none."""
    return max((int(stem.removeprefix("step-")) for stem in _stems(storage(directory))), default=0)


def _load(files: Storage, stem: str) -> Checkpoint:
    content = files.read_json(f"{stem}.json")
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']} is not {FORMAT}")
    with files.opened(f"{stem}.npz") as file:
        if _digest(file) != content["sha256"]:
            raise ValueError("its checksum differs")
        file.seek(0)
        return _read(file)


def _report_missing(files: Storage) -> None:
    try:
        newest = int(files.read_json(_NEWEST)["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # it only serves to notice; what is there is checked by itself
    if _stem(newest) not in _stems(files):
        warnings.warn(f"Checkpoint {_stem(newest)} is missing; using the one before.", stacklevel=3)


def _stem(step: int) -> str:
    return f"step-{step:09d}"


def _stems(files: Storage) -> list[str]:
    """Return the checkpoints that have a manifest, the oldest first."""
    return [name.removesuffix(".json") for name in files.names("step-*.json")]


def _digest(file: BinaryIO) -> str:
    """Return the checksum of a whole file."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def packed(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as it stands in its file, to send it."""
    buffer = io.BytesIO()
    _write(buffer, checkpoint)
    return buffer.getvalue()


def unpacked(content: bytes) -> Checkpoint:
    """Return the checkpoint that `packed` made these bytes of."""
    return _read(io.BytesIO(content))


def _write(file: BinaryIO, checkpoint: Checkpoint) -> None:
    plain = json.dumps({"position": checkpoint.position, "callbacks": checkpoint.callbacks}).encode()
    np.savez(file, **{_PLAIN: np.frombuffer(plain, np.uint8)}, **checkpoint.arrays)  # type: ignore[arg-type]


def _read(file: BinaryIO) -> Checkpoint:
    with np.load(file, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    plain = json.loads(arrays.pop(_PLAIN).tobytes())
    return Checkpoint(arrays, plain["position"], plain["callbacks"])

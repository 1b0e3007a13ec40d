"""Checkpoints: the whole state of a run in files that are either whole or not there."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kexp.atomic import read_json, replacing, write_json

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


def save_checkpoint(directory: Path, step: int, checkpoint: Checkpoint) -> None:
    """Write a checkpoint and remove all but the last two.

    First all of it goes into one file, then a manifest with that file's checksum, and at last the name
    of the newest, by which a checkpoint that has gone missing is noticed. A checkpoint counts once its
    manifest is there.

    Args:
        directory: The run's checkpoints/ folder.
        step: Steps taken since the run began; names the files.
        checkpoint: What to save.
    """
    stem = _stem(step)
    state = directory / f"{stem}.npz"
    plain = json.dumps({"position": checkpoint.position, "callbacks": checkpoint.callbacks}).encode()
    with replacing(state) as temporary:
        np.savez(temporary, **{_PLAIN: np.frombuffer(plain, np.uint8)}, **checkpoint.arrays)  # type: ignore[arg-type]
    write_json(directory / f"{stem}.json", {"format": FORMAT, "sha256": _digest(state)})
    write_json(directory / _NEWEST, {"step": step})
    for old in _manifests(directory)[:-_KEPT]:
        old.unlink()
        old.with_suffix(".npz").unlink(missing_ok=True)


def load_latest(directory: Path) -> Checkpoint | None:
    """Return the newest checkpoint that is undamaged, or None when there is none.

    A damaged or missing one is reported by a warning and the one before is used.
    """
    for torn in directory.glob(".*"):  # what a kill in the middle of a write left behind
        torn.unlink()
    _report_missing(directory)
    for manifest in reversed(_manifests(directory)):
        try:
            return _load(manifest)
        except (OSError, ValueError, KeyError, TypeError) as error:
            warnings.warn(
                f"Checkpoint {manifest.stem} is damaged ({error}); using the one before.", stacklevel=2
            )
    return None


def newest_step(directory: Path) -> int:
    """Return the steps that the newest checkpoint was saved after, 0 when there is none."""
    return max((int(manifest.stem.removeprefix("step-")) for manifest in _manifests(directory)), default=0)


def _load(manifest: Path) -> Checkpoint:
    content = read_json(manifest)
    state = manifest.with_suffix(".npz")
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']} is not {FORMAT}")
    if _digest(state) != content["sha256"]:
        raise ValueError("its checksum differs")
    with np.load(state, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    plain = json.loads(arrays.pop(_PLAIN).tobytes())
    return Checkpoint(arrays, plain["position"], plain["callbacks"])


def _report_missing(directory: Path) -> None:
    try:
        newest = int(read_json(directory / _NEWEST)["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # it only serves to notice; what is there is checked by itself
    if not (directory / f"{_stem(newest)}.json").is_file():
        warnings.warn(f"Checkpoint {_stem(newest)} is missing; using the one before.", stacklevel=3)


def _stem(step: int) -> str:
    return f"step-{step:09d}"


def _manifests(directory: Path) -> list[Path]:
    return sorted(directory.glob("step-*.json"))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def packed(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as it stands in a file, to send it."""
    buffer = io.BytesIO()
    _write(buffer, checkpoint)
    return buffer.getvalue()


def unpacked(content: bytes) -> Checkpoint:
    """Return the checkpoint that `packed` made these bytes of."""
    return _read(io.BytesIO(content))


def _write(file: Any, checkpoint: Checkpoint) -> None:
    plain = json.dumps({"position": checkpoint.position, "callbacks": checkpoint.callbacks}).encode()
    np.savez(file, **{_PLAIN: np.frombuffer(plain, np.uint8)}, **checkpoint.arrays)  # type: ignore[arg-type]


def _read(file: Any) -> Checkpoint:
    with np.load(file, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    plain = json.loads(arrays.pop(_PLAIN).tobytes())
    return Checkpoint(arrays, plain["position"], plain["callbacks"])

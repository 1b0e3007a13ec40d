"""Checkpoints: the whole state of a run in a file that is either whole or not there."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kexp.atomic import read_json, replacing, write_json

FORMAT = 1
_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """What was saved: arrays by name, and the position of the loop in JSON types."""

    arrays: dict[str, np.ndarray]
    position: dict[str, Any]


def save_checkpoint(directory: Path, step: int, checkpoint: Checkpoint) -> None:
    """Write a checkpoint and remove all but the last two.

    The arrays go first, then a manifest with their checksum; a checkpoint counts once its manifest
    is there.

    Args:
        directory: The run's checkpoints/ folder.
        step: Steps taken since the run began; names the files.
        checkpoint: What to save.
    """
    stem = f"step-{step:09d}"
    arrays = directory / f"{stem}.npz"
    with replacing(arrays) as temporary:
        np.savez(temporary, **checkpoint.arrays)  # type: ignore[arg-type]
    manifest = {"format": FORMAT, "sha256": _digest(arrays), "position": checkpoint.position}
    write_json(directory / f"{stem}.json", manifest)
    for old in _manifests(directory)[:-_KEPT]:
        old.unlink()
        old.with_suffix(".npz").unlink(missing_ok=True)


def load_latest(directory: Path) -> Checkpoint | None:
    """Return the newest checkpoint that is undamaged, or None when there is none.

    A damaged one is reported by a warning and the one before is used.
    """
    for torn in directory.glob(".*"):  # what a kill in the middle of a write left behind
        torn.unlink()
    for manifest in reversed(_manifests(directory)):
        try:
            return _load(manifest)
        except (OSError, ValueError, KeyError) as error:
            warnings.warn(
                f"Checkpoint {manifest.stem} is damaged ({error}); using the one before.", stacklevel=2
            )
    return None


def newest_step(directory: Path) -> int:
    """Return the steps that the newest checkpoint was saved after, 0 when there is none."""
    return max((int(manifest.stem.removeprefix("step-")) for manifest in _manifests(directory)), default=0)


def _load(manifest: Path) -> Checkpoint:
    content = read_json(manifest)
    arrays = manifest.with_suffix(".npz")
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']} is not {FORMAT}")
    if _digest(arrays) != content["sha256"]:
        raise ValueError("its checksum differs")
    with np.load(arrays, allow_pickle=False) as stored:
        return Checkpoint({name: stored[name] for name in stored.files}, content["position"])


def _manifests(directory: Path) -> list[Path]:
    return sorted(directory.glob("step-*.json"))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

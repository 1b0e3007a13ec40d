"""Checkpoints: the whole state of a run in files that are either whole or not there."""

from __future__ import annotations

import io
import json
import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from kexp.core.constraints import RecordedCount
from kexp.core.errors import InputError
from kexp.core.files import sha256_of_open
from kexp.core.foreign_files import guarded
from kexp.core.json_files import NewerFormat, parse_json
from kexp.core.storage import Storage, storage

FORMAT = 2
_KEPT = 2
_NEWEST = "newest.json"
_PLAIN = "plain"  # the array that holds what JSON can hold
_STEM = re.compile(r"step-\d{9,18}")
_ADVICE = "it is damaged"


class CheckpointMismatch(InputError):
    """A checkpoint that is whole, but of another model or optimizer than those that are to go on from it."""


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
        checksum = sha256_of_open(file)
    files.write_json(f"{stem}.json", {"format": FORMAT, "sha256": checksum})
    files.write_json(_NEWEST, {"step": step})
    for old in _stems(files)[:-_KEPT]:
        files.remove(f"{old}.json")
        files.remove(f"{old}.npz")


def load_latest(
    directory: Path | str, check: Callable[[Checkpoint, str], None] = lambda checkpoint, place: None
) -> Checkpoint | None:
    """Return the newest checkpoint that is undamaged, or None when there is none.

    A damaged or missing one is reported by a warning and the one before is used.

    Args:
        directory: Where the run's checkpoints are kept.
        check: Raises InputError for a checkpoint that is damaged inside, and CheckpointMismatch for one of
            something else than what is to go on from it; it is told where that is from. Default: all will do.

    Raises:
        ConnectionError: They are at a path with a scheme that cannot be reached now.
        InputError: One is of a newer kexp, or those that are undamaged are of something else.
    """
    files = storage(directory)
    files.remove_leftovers()
    _report_missing(files)
    refused: InputError | None = None
    said: list[str] = []
    stems = _stems(files)
    for number, stem in reversed(list(enumerate(stems))):
        then = "using the one before" if number else "there is none before it"
        try:
            checkpoint = _load(files, stem)
            check(checkpoint, f"file {files.path(stem)}.npz")
        except (ConnectionError, NewerFormat):
            raise  # it is not damaged, and a run that began anew would overwrite it
        except CheckpointMismatch as error:
            refused = refused or error
            said.append(f"Checkpoint {stem} does not fit ({_in_brackets(error)}); {then}.")
        except (OSError, InputError) as error:
            said.append(f"Checkpoint {stem} is damaged ({_in_brackets(error)}); {then}.")
        else:
            _warn(said)
            return checkpoint
    if refused is not None:
        raise refused
    if stems:
        _warn([*said, f"No checkpoint in {directory} can be used; the run begins anew."])
    return None


def _warn(said: list[str]) -> None:
    for text in said:
        warnings.warn(text, stacklevel=3)


def newest_step(directory: Path | str) -> int:
    """Return the steps that the newest checkpoint was saved after, 0 when there is none."""
    return max(steps_of(directory), default=0)


def steps_of(directory: Path | str) -> dict[int, str]:
    """Return the names, without their ends, of checkpoints by the steps that they were saved after."""
    return {_step(stem): stem for stem in _stems(storage(directory))}


def _load(files: Storage, stem: str) -> Checkpoint:
    keys = {"format": Literal[FORMAT], "sha256": str}
    content = files.read_json(f"{stem}.json", keys, advice=_ADVICE, newest_format=FORMAT)
    with files.opened(f"{stem}.npz") as file:
        if sha256_of_open(file) != content["sha256"]:
            raise InputError(f"file {files.path(stem)}.npz: its checksum differs; {_ADVICE}.")
        file.seek(0)
        return _read(file, f"file {files.path(stem)}.npz")


def _report_missing(files: Storage) -> None:
    try:
        newest = files.read_json(_NEWEST, {"step": RecordedCount}, advice=_ADVICE)["step"]
    except FileNotFoundError:
        return
    except (OSError, InputError) as error:
        if isinstance(error, ConnectionError):
            raise
        # It only serves to notice what is missing; what is there is checked by itself.
        warnings.warn(f"{_NEWEST} is damaged ({_in_brackets(error)}).", stacklevel=3)
        return
    if _stem(newest) not in _stems(files):
        warnings.warn(f"Checkpoint {_stem(newest)} is missing; using the one before.", stacklevel=3)


def _in_brackets(error: Exception) -> str:
    return str(error).rstrip(".")


def _stem(step: int) -> str:
    return f"step-{step:09d}"


def _step(stem: str) -> int:
    return int(stem.removeprefix("step-"))


def _stems(files: Storage) -> list[str]:
    """Return the checkpoints that have a manifest, the oldest first."""
    stems = [name.removesuffix(".json") for name in files.names("step-*.json")]
    return sorted((stem for stem in stems if _STEM.fullmatch(stem)), key=_step)


def packed(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as it stands in its file, to send it."""
    buffer = io.BytesIO()
    _write(buffer, checkpoint)
    return buffer.getvalue()


def unpacked(content: bytes) -> Checkpoint:
    """Return the checkpoint that `packed` made these bytes of."""
    return _read(io.BytesIO(content), "the checkpoint that the chief has sent")


def _write(file: BinaryIO, checkpoint: Checkpoint) -> None:
    plain = json.dumps({"position": checkpoint.position, "callbacks": checkpoint.callbacks}).encode()
    np.savez(file, **{_PLAIN: np.frombuffer(plain, np.uint8)}, **checkpoint.arrays)  # type: ignore[arg-type]


def _read(file: BinaryIO, place: str) -> Checkpoint:
    with guarded(place, "an archive of arrays", _ADVICE):
        _require_stored(file)
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise InputError(f"{place}: holds something else than arrays; {_ADVICE}.")
    content = arrays.pop(_PLAIN, None)
    if content is None or content.dtype != np.uint8 or content.ndim != 1:
        raise InputError(f"{place}: lacks the array {_PLAIN}, with the position of the loop; {_ADVICE}.")
    keys = {"position": dict[str, Any], "callbacks": dict[str, Any]}
    plain = parse_json(content.tobytes(), f"{place}: {_PLAIN}", keys, advice=_ADVICE)
    return Checkpoint(arrays, plain["position"], plain["callbacks"])


def _require_stored(file: BinaryIO) -> None:
    """Refuse an archive whose arrays are larger than itself: kexp compresses none, so it would be a trap."""
    size = file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        if sum(member.file_size for member in archive.infolist()) > size:
            raise ValueError("its arrays are larger than it is itself")
    file.seek(0)

"""What lies in a sweep folder beside the record: a run folder for each trial, with or without weights."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.foreign_files import reason
from kexp.core.user_paths import output_folder
from kexp.sweep.state import SweepDescription
from kexp.train.checkpoint.checkpoint import newest_step

RETRAINING = "retraining"  # of runs that train the best trials again
_TRIALS = "trials"


def folder_path(asked: str | os.PathLike[str] | None, description: SweepDescription) -> Path:
    """Return where a sweep lies: where it was asked to, or among its like, named after what is searched."""
    if asked is not None:
        return output_folder("dir", asked)
    # The source counts where it is carried, which not every recipe's is.
    unsaid = {name for name in ("source", "folds") if getattr(description, name) is None}
    content = {name: value for name, value in asdict(description).items() if name not in {"threads", *unsaid}}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    held_out = description.folds is not None and description.folds.part == "test"
    kind = "cross_validations" if held_out else "sweeps"
    return Path(kind) / f"{description.recipe_name}-{digest}"


@contextmanager
def sweep_folder(path: Path) -> Iterator[Path]:
    """Make the folder of a sweep if it is not there, and yield it; it goes again when no trial can begin.

    Raises:
        InputError: It is a file, holds something else, or cannot be made.
    """
    output_folder("dir", path)
    made = [folder for folder in (path, *path.absolute().parents) if not folder.exists()]
    _make(path)
    try:
        yield path
    except InputError:
        if path in made and not any((path / _TRIALS).glob("*")):
            shutil.rmtree(path, ignore_errors=True)
            for parent in made[1:]:
                if not any(parent.iterdir()):
                    parent.rmdir()
        raise


def _make(path: Path) -> None:
    if path.is_dir() and any(path.iterdir()) and not (path / "sweep.lock").exists():
        raise InputError(f"dir {path} holds files that are not a sweep; give an empty or new folder.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"dir {path} cannot be made: {error.strerror}; give another path.") from None


def main_folder(directory: Path) -> Path:
    """Return the folder of a sweep, also from that of runs which train its trials again, below it.

    Example:
        >>> str(main_folder(Path("sweeps/a/retraining/3f2a"))), str(main_folder(Path("sweeps/a")))
        ('sweeps/a', 'sweeps/a')
    """
    return directory.parent.parent if directory.parent.name == RETRAINING else directory


def sweep_of(run_dir: Path) -> Path:
    """Return the folder of the sweep that a run folder lies in, of a trial or of one of its folds.

    Example:
        >>> str(sweep_of(trial_folder(Path("sweeps/a/retraining/3f2a"), 3)))
        'sweeps/a'
    """
    above = run_dir.parents
    return main_folder(above[1] if run_dir.parent.name == _TRIALS else above[2])


def data_folder(directory: Path) -> Path:
    """Return where data in memory are kept for the workers of a sweep."""
    return main_folder(directory) / "data"


def trial_folder(directory: Path, number: int) -> Path:
    """Return the run folder of a trial."""
    return directory / _TRIALS / f"{number:04d}"


def fold_folder(trial: Path, number: int) -> Path:
    """Return the run folder of a fold, of a trial that has several.

    Example:
        >>> str(fold_folder(trial_folder(Path("sweeps/a"), 3), 1))
        'sweeps/a/folds/0003/0001'
    """
    return _folds(trial) / f"{number:04d}"


def _folds(trial: Path) -> Path:
    return trial.parent.parent / "folds" / trial.name


def run_folders(trial: Path) -> list[Path]:
    """Return the run folders of a trial: its own, and those of its folds if it has any."""
    return [trial, *sorted(_folds(trial).glob("*"))]


def trial_bytes(trial: Path) -> int:
    """Return the size of all files of a trial, those of its folds too."""
    return sum(map(folder_bytes, run_folders(trial)))


def steps_done(trial: Path) -> int:
    """Return the steps that the newest checkpoints of a trial stand at, those of all its folds together."""
    return sum(newest_step(folder / "checkpoints") for folder in run_folders(trial))


def folder_bytes(folder: Path) -> int:
    """Return the size of all files under a folder, also while some of them go."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def prune_artifacts(trial: Path) -> None:
    """Remove what holds weights or data from a trial's run folders: what it was and how it went stays."""
    for folder in run_folders(trial):
        for name in ("model.keras", "samples.npz"):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the sweep folder as its only coordinator; the system lets go of it when the process ends."""
    try:
        lock = open(directory / "sweep.lock", "a", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise InputError(
            f"dir {directory} cannot be swept in ({error.filename}: {reason(error)}); give another dir."
        ) from None
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"dir {directory} is being swept by another process; wait for its end or give another dir."
            ) from None
        yield

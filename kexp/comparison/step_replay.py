"""A part of a run that is trained again from its folder, with checksums after every step."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.data import DataLike
from kexp.run.context import watched_steps
from kexp.run.recorded_call import recorded_call
from kexp.run.run_files import ARCHITECTURE, CONFIG, ENVIRONMENT
from kexp.train.checkpoint.checkpoint import steps_of

Line = dict[str, Any]


def replay(
    run_dir: Path,
    first: int,
    last: int,
    recipe: Callable[..., Any] | None = None,
    data: DataLike | None = None,
) -> dict[int, Line]:
    """Train a run again, from its newest checkpoint before a step or from its beginning; return checksums.

    Nothing in the folder is changed.

    Args:
        run_dir: The run folder.
        first: The first step that has checksums, 0 or more.
        last: The last, where the training ends.
        recipe: The recipe, if it is neither kexp's nor installed.
        data: What was trained on, if the folder does not say where it is.

    Returns:
        Checksums by step, as checksums.jsonl has them.

    Raises:
        InputError: The recipe or the data are not at hand, or have changed since.
    """
    from kexp.train.step_checksums import EveryStep, ReplayEnded

    lines: dict[int, Line] = {}
    with tempfile.TemporaryDirectory(prefix="kexp-replay-") as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which the run itself has given
        folder = Path(name) / "run"
        _copy(run_dir, folder, first)
        again, arguments = recorded_call(folder, recipe, data=data)
        watched = watched_steps(lambda engine: EveryStep(engine, lines, first, last))
        with watched, suppress(ReplayEnded):
            again(**arguments, quiet=True)
    if last not in lines:
        raise InputError(f"run_dir {run_dir}: ends before step {last} when it is trained again.")
    return lines


def _copy(run_dir: Path, folder: Path, first: int) -> None:
    """Copy what a run goes on from: its description, and the newest checkpoint up to a step."""
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True)
    for name in (CONFIG, ENVIRONMENT, ARCHITECTURE):
        if (run_dir / name).is_file():
            shutil.copyfile(run_dir / name, folder / name)
    found: Mapping[int, str] = steps_of(run_dir / "checkpoints")
    known = [step for step in found if step <= first]
    for suffix in (".npz", ".json") if known else ():
        name = f"{found[max(known)]}{suffix}"
        shutil.copyfile(run_dir / "checkpoints" / name, checkpoints / name)

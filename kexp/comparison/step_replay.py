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
from kexp.run.run_files import ARCHITECTURE, CONFIG, ENVIRONMENT, FIT, read_config
from kexp.train.checkpoint.checkpoint import steps_of

Line = dict[str, Any]


def replay(run_dir: Path, first: int, last: int, again: Callable[[str], object]) -> dict[int, Line]:
    """Train a run again, from its newest checkpoint before a step or from its beginning; return checksums.

    Nothing in the folder is changed.

    Args:
        run_dir: The run folder.
        first: The first step that has checksums, 0 or more.
        last: The last, where the training ends.
        again: Goes on with the run in a folder.

    Returns:
        Checksums by step, as checksums.jsonl has them.

    Raises:
        InputError: What it needs is not at hand, or has changed since.
    """
    from kexp.train.step_checksums import EveryStep, ReplayEnded

    lines: dict[int, Line] = {}
    with tempfile.TemporaryDirectory(prefix="kexp-replay-") as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which the run itself has given
        folder = Path(name) / "run"
        _copy(run_dir, folder, first)
        watched = watched_steps(lambda engine: EveryStep(engine, lines, first, last))
        with watched, suppress(ReplayEnded):
            again(str(folder))
    if last not in lines:
        raise InputError(f"run_dir {run_dir}: ends before step {last} when it is trained again.")
    return lines


def recorded_again(recipe: Callable[..., Any] | None, data: DataLike | None) -> Callable[[str], object]:
    """Return what goes on with a run of a recipe by what its folder records.

    Args:
        recipe: The recipe, if it is neither kexp's nor installed.
        data: What was trained on, if the folder does not say where it is.
    """

    def again(folder: str) -> object:
        if recipe is None and read_config(Path(folder))["recipe"] == FIT:
            raise InputError(
                "a run of kexp.fit is repeated by who called it: give repeat_a and repeat_b, functions of a "
                "run folder that make the same call with that run_dir."
            )
        found, arguments = recorded_call(folder, recipe, data=data)
        return found(**arguments, quiet=True)

    return again


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

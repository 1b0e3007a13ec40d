"""A folder that is watched: of a run, a sweep or a cross-validation, finished or under way."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from kexp.core.errors import InputError
from kexp.core.user_paths import user_path
from kexp.report import folds_page, sweep_page
from kexp.report.html import document
from kexp.report.importance import Importance
from kexp.report.live_page import live_page
from kexp.report.run_status import read_status
from kexp.run.run_files import CONFIG, METRICS, RESULT, names_in
from kexp.sweep.cross_validation_result import CrossValidation, is_cross_validation, load_cross_validation
from kexp.sweep.record_file import RECORD
from kexp.sweep.state import Trial
from kexp.sweep.sweep_result import Sweep, load_sweep

_WHAT = "the folder of a run, a sweep or a cross-validation"
_BEGUN = ("sweep.lock", "checkpoints", "env.json", "architecture.json")  # before there is more


class View(NamedTuple):
    """What a terminal shows.

    Attributes:
        title: What is watched, and where it stands.
        total: How many epochs, trials or folds there are to be; None: nobody knows.
        columns: Names of what there is of each.
        rows: Each that has ended, in order.
        finished: Whether there is no more to come.
    """

    title: str
    total: int | None
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    finished: bool


def watchable(directory: str) -> Path:
    """Return the path of a folder that can be watched; it may be empty as long as a run begins in it.

    Raises:
        InputError: It is none.

    Example:
        >>> watchable("no/such/folder")
        Traceback (most recent call last):
        ...
        kexp.InputError: directory must be the folder of a run, a sweep or a cross-validation;
        no/such/folder is no folder.
    """
    path = user_path("directory", directory)
    if not path.is_dir():
        raise InputError(f"directory must be {_WHAT}; {path} is no folder.")
    names = names_in("directory", path, _WHAT)
    if names and not {RECORD, CONFIG, *_BEGUN} & {*names}:
        raise InputError(f"directory must be {_WHAT}; {path} is none, so name one in it.")
    return path


def version_of(path: Path) -> str:
    """Return a short text that changes when there is something new to see in a folder."""
    if (path / RECORD).exists():
        try:
            found = _several(path)
        except InputError as error:
            return _digest(error)
        ended = [(one.number, one.state, one.score, one.error) for one in _trials(found)]
        return _digest(ended, [_stamp(found.run_dir(one.number) / METRICS) for one in _trials(found)])
    return _digest([_stamp(path / name) for name in (CONFIG, METRICS, RESULT)])


def page_of(path: Path, version: str) -> str:
    """Return the page of a folder.

    Args:
        path: The folder.
        version: That of what is shown.
    """
    try:
        if not (path / RECORD).exists():
            return live_page(read_status(path), live=version)
        found = _several(path)
        if isinstance(found, CrossValidation):
            return folds_page(found.record(), live=version)
        ended = all(trial.state.ended for trial in found.trials)
        # Which takes seconds, and is of use once there is no more to come.
        importance = None if ended else Importance(reason="the sweep is under way")
        return sweep_page(found.record(), importance, live=version)
    except InputError as error:  # a file that is being written anew, or that is damaged
        return document("Not to be read now", [f"<p>{escape(str(error))}</p>"], live=version)


def view_of(path: Path) -> View:
    """Return what a terminal shows of a folder.

    Raises:
        InputError: A file of it is damaged, or being written.
    """
    if not (path / RECORD).exists():
        status = read_status(path)
        names = ["epoch", *status.history]
        rows = [[epoch.get(name, "") for name in names] for epoch in status.epochs]
        title = f"run of {status.recipe or path.name}, {status.state}"
        return View(title, status.total, names, rows, status.metrics is not None)
    found = _several(path)
    frame = found.to_frame()
    ended = [trial.state.ended for trial in _trials(found)]
    running = f"{sum(ended)} of {len(ended)} have ended" if ended else "none has begun"
    noun = "cross-validation" if isinstance(found, CrossValidation) else "sweep"
    rows = [row for row, over in zip(frame.to_numpy().tolist(), ended, strict=True) if over]
    total = len(found.plan) if isinstance(found, CrossValidation) else None
    return View(f"{noun} in {path}, {running}", total, list(frame.columns), rows, len(rows) == total)


def _several(path: Path) -> Sweep | CrossValidation:
    return load_cross_validation(path) if is_cross_validation(path) else load_sweep(path)


def _trials(found: Sweep | CrossValidation) -> Sequence[Trial]:
    return found.runs if isinstance(found, CrossValidation) else found.trials


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _digest(*content: object) -> str:
    return hashlib.sha256(repr(content).encode("utf-8", "replace")).hexdigest()[:16]

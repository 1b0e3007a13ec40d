"""A task on a Ray cluster: what a process of Ray's is given, runs, and returns as plain data."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from kexp.core.errors import InputError
from kexp.core.signals import Stopped as StoppedBySignal
from kexp.core.signals import StopRequest
from kexp.sweep.folders import steps_done, trial_bytes, trial_folder
from kexp.sweep.state import (
    Evaluation,
    Failed,
    FullDisk,
    Lost,
    ProbeResult,
    Refused,
    Stopped,
    TrialOutcome,
)
from kexp.sweep.trial_runner import HeldFolds, TrialRunner, runner_for

ATTEMPTS = 4  # Ray's first and three more, when a node or a process is lost
_BEGUN = " process "


@dataclass(frozen=True)
class Probe:
    """Look at what a run is like; `objective` is the metric that was asked for, or None."""

    arguments: dict[str, Any]
    objective: str | None
    held: HeldFolds = None


@dataclass(frozen=True)
class RunTrial:
    """Run a trial whose newest checkpoint is of a step."""

    number: int
    arguments: dict[str, Any]
    step: int
    held: HeldFolds = None


@dataclass(frozen=True)
class EvaluateWinners:
    """Measure runs on test data: number and arguments of each."""

    runs: list[tuple[int, dict[str, Any]]]


Request: TypeAlias = Probe | RunTrial | EvaluateWinners


@dataclass(frozen=True)
class Ended:
    """How a trial ended, with the seconds of this attempt and the bytes of its run folder."""

    outcome: TrialOutcome | Lost
    seconds: float = 0.0
    bytes: int = 0


Answer: TypeAlias = ProbeResult | Ended | Evaluation | Stopped | FullDisk | Refused | Lost


@dataclass(frozen=True)
class TaskSpec:
    """What a task is to do: plain data, as it goes to another machine.

    Attributes:
        request: What to do.
        recipe: Its name.
        directory: The sweep folder.
        marker: A file in it that no other folder has.
        cwd: The folder that relative paths start from.
        threads: Of TensorFlow.
    """

    request: Request
    recipe: str
    directory: Path
    marker: str
    cwd: Path
    threads: int


def crash_log(directory: Path, number: int) -> Path:
    """Return where a trial's process leaves the trace of its crash."""
    return directory / "logs" / f"ray-{number:04d}.txt"


def run(task: TaskSpec) -> Answer:
    """Do what is asked, on the machine that Ray chose, and return how it ended as plain data."""
    if not (task.directory / task.marker).is_file():
        return Refused(
            f"dir {task.directory} must be a folder that all machines of the cluster share; "
            f"{platform.node()} does not see it, so give one on a shared file system."
        )
    if task.cwd.is_dir():
        os.chdir(task.cwd)
    try:
        runner = _ready(task)
    except KeyboardInterrupt:  # `kexp.core.signals.Stopped` is one
        return Stopped()
    except InputError as error:
        return Refused(
            f"recipe {task.recipe} must be in a module that all machines of the cluster can import; "
            f"{platform.node()} cannot ({str(error).rstrip('.')}), so put it on a shared file system."
        )
    match task.request:
        case Probe(arguments, objective, held):
            return runner.probe(arguments, objective, held)
        case RunTrial() as request:
            return _run_trial(task, runner, request)
        case EvaluateWinners(runs):
            return _evaluate(task, runner, runs)


def _ready(task: TaskSpec) -> TrialRunner:
    """Import TensorFlow and the recipe, to the end: an import that was broken off cannot be repeated."""
    with StopRequest() as stop:
        runner = runner_for(task.recipe, task.threads, task.directory)
    if stop.signal_number:
        raise StoppedBySignal(stop.signal_number, 0)
    return runner


def _evaluate(task: TaskSpec, runner: TrialRunner, runs: list[tuple[int, dict[str, Any]]]) -> Answer:
    numbers = [number for number, _ in runs]
    found = runner.evaluate([(given, trial_folder(task.directory, number)) for number, given in runs])
    if isinstance(found, Failed):
        return Evaluation(numbers, [], found.error)
    return Evaluation(numbers, found) if isinstance(found, list) else found


def _run_trial(task: TaskSpec, runner: TrialRunner, request: RunTrial) -> Ended:
    started_s = time.monotonic()
    folder = trial_folder(task.directory, request.number)
    log = crash_log(task.directory, request.number)
    # Ray tries again without end when its memory monitor has killed a process.
    if _begun(log) >= ATTEMPTS and steps_done(folder) == request.step:
        return Ended(Lost("its process was killed, perhaps for want of memory."))
    with _crash_traced(log):
        outcome = runner.run_trial(request.arguments, folder, request.held)
    return Ended(outcome, time.monotonic() - started_s, trial_bytes(folder))


def _begun(log: Path) -> int:
    return log.read_text(encoding="utf-8", errors="replace").count(_BEGUN) if log.is_file() else 0


@contextlib.contextmanager
def _crash_traced(path: Path) -> Iterator[None]:
    """Have the trace of a crash in the sweep folder, where the coordinator finds it."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{platform.node()}{_BEGUN}{os.getpid()}\n")
        file.flush()
        faulthandler.enable(file)
        try:
            yield
        finally:
            faulthandler.enable()

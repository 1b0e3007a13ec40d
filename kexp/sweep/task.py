"""A task of a sweep on a cluster: what a process of Ray's is given, does, and returns as plain data."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kexp.core.errors import InputError
from kexp.core.signals import Stopped, StopRequest
from kexp.sweep.calls import KeptData, disk_is_full, look, prepared, recipe_of, tested
from kexp.sweep.folders import folder_bytes, trial_folder
from kexp.train.checkpoint.checkpoint import newest_step

Call = Literal["look", "trial", "test"]
ATTEMPTS = 4  # Ray's first and three more, when a node or a process is lost
_BEGUN = " process "
_DYING_S = 60.0  # how long a lost attempt may hold its run folder


@dataclass(frozen=True)
class Order:
    """What a task is to do: plain data, as it goes to another machine.

    Attributes:
        call: "look" at what a run is like, run a "trial", or "test" the winners.
        runs: Number and arguments of each trial that it is about.
        step: Of the trial's newest checkpoint.
        recipe: Its name.
        directory: The sweep folder.
        mark: A file in it that no other folder has.
        place: The folder that relative paths start from.
        threads: Of TensorFlow.
    """

    call: Call
    runs: list[tuple[int, dict[str, Any]]]
    step: int
    recipe: str
    directory: Path
    mark: str
    place: Path
    threads: int


def crash_log(directory: Path, number: int) -> Path:
    """Return where a trial's process leaves the trace of its crash."""
    return directory / "logs" / f"ray-{number:04d}.txt"


def perform(order: Order) -> dict[str, Any]:
    """Do what is ordered, on the machine that Ray chose, and return how it ended as plain data."""
    if not (order.directory / order.mark).is_file():
        return _refused(
            f"dir {order.directory} must be a folder that all machines of the cluster share; "
            f"{platform.node()} does not see it, so give one on a shared file system."
        )
    if order.place.is_dir():
        os.chdir(order.place)
    try:
        data = _prepared(order.threads)
        recipe = recipe_of(order.recipe)
        return {"look": _look, "trial": _trial, "test": _test}[order.call](order, recipe, data)
    except KeyboardInterrupt:  # `Stopped` is one
        return {"state": "stopped"}
    except (ImportError, AttributeError) as error:
        return _refused(
            f"recipe {order.recipe} must be in a module that all machines of the cluster can import; "
            f"{platform.node()} cannot ({error}), so put it on a shared file system."
        )


def _refused(mistake: str) -> dict[str, Any]:
    return {"state": "refused", "mistake": mistake}


def _prepared(threads: int) -> KeptData:
    """Import TensorFlow and make it ready, to the end: an import that was broken off cannot be repeated."""
    with StopRequest() as stop:
        data = _kept(threads)
    if stop.signal_number:
        raise Stopped(stop.signal_number, 0)
    return data


_kept = functools.cache(prepared)  # Ray gives a process one task after another


def _look(order: Order, recipe: Callable[..., Any], data: KeptData) -> dict[str, Any]:
    return {"state": "completed", "look": look(recipe, order.runs[0][1])}


def _test(order: Order, recipe: Callable[..., Any], data: KeptData) -> dict[str, Any]:
    try:
        with data.test_part():
            metrics = [
                _when_free(
                    functools.partial(tested, recipe, arguments, trial_folder(order.directory, number))
                )
                for number, arguments in order.runs
            ]
    except Exception as error:
        return {"state": "full"} if disk_is_full(error) else _failed(error)
    return {"state": "completed", "metrics": metrics}


def _trial(order: Order, recipe: Callable[..., Any], data: KeptData) -> dict[str, Any]:
    import keras

    keras.utils.clear_session()
    (number, arguments), started_s = order.runs[0], time.monotonic()
    folder, log = trial_folder(order.directory, number), crash_log(order.directory, number)
    # Ray tries again without end when its memory monitor has killed a process.
    if _begun(log) >= ATTEMPTS and newest_step(folder / "checkpoints") == order.step:
        return {"state": "lost", "error": "its process was killed, perhaps for want of memory."}
    try:
        with _crash_traced(log):
            result = _when_free(lambda: recipe(**arguments, run_dir=str(folder), quiet=True))
        metrics = {name: float(value) for name, value in result.metrics.items()}
        outcome: dict[str, Any] = {"state": "completed", "metrics": metrics}
    except KeyboardInterrupt:
        outcome = {"state": "stopped"}
    except Exception as error:
        outcome = {"state": "full"} if disk_is_full(error) else _failed(error)
    return {**outcome, "seconds": time.monotonic() - started_s, "bytes": folder_bytes(folder)}


def _begun(log: Path) -> int:
    return log.read_text(encoding="utf-8", errors="replace").count(_BEGUN) if log.is_file() else 0


def _failed(error: Exception) -> dict[str, Any]:
    return {"state": "failed", "error": "".join(traceback.format_exception(error))}


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


def _when_free(run: Callable[[], Any]) -> Any:
    """Run once an earlier attempt of the trial, whose node Ray has given up, has let go of the folder."""
    deadline_s = time.monotonic() + _DYING_S
    while True:
        try:
            return run()
        except InputError as error:
            if "being trained in by another process" not in str(error) or time.monotonic() > deadline_s:
                raise
        time.sleep(1.0)

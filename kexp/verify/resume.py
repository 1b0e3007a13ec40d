"""Whether a recipe that is killed again and again ends as one that is left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kexp.errors import InputError
from kexp.run.recipe import bind
from kexp.run.result import Result
from kexp.train.checkpoint import load_latest, newest_step

_CALL = """
import importlib, json, sys
module, name, arguments = sys.argv[1:]
getattr(importlib.import_module(module), name)(**json.loads(arguments))
"""
_TIMES = ("seconds",)  # what may differ in result.json


@dataclass(frozen=True)
class Kill:
    """One SIGKILL.

    Attributes:
        step: Steps that the newest checkpoint held at that moment.
        while_writing: Whether a file was being written.
    """

    step: int
    while_writing: bool


@dataclass(frozen=True)
class ResumeReport:
    """What came of the kills.

    Attributes:
        kills: Those that hit a running process, in order.
        difference: The first difference between the two runs, or None when they are identical.
    """

    kills: tuple[Kill, ...]
    difference: str | None

    def __str__(self) -> str:
        writing = sum(kill.while_writing for kill in self.kills)
        steps = ", ".join(str(kill.step) for kill in self.kills)
        outcome = "identical to the run left alone" if self.difference is None else self.difference
        return f"{len(self.kills)} kills after steps {steps}, {writing} while a file was written: {outcome}"


def resume(
    recipe: Callable[..., Result], *, kills: int = 20, kill_seed: int = 0, **arguments: Any
) -> ResumeReport:
    """Run a recipe once untouched and once killed at random moments, and compare everything.

    Each run is a process of its own; the killed one is started again with the same call until it is
    through. Compared are, to the bit, weights, optimizer slots, random streams, running means, best
    weights, the course of every figure and the final ones.

    Args:
        recipe: A recipe in a module that can be imported, kexp's or your own.
        kills: SIGKILLs, default 20, 1 or more.
        kill_seed: Governs the moments, default 0.
        **arguments: Arguments of the recipe; checkpoints are written at every step unless they say
            something else.

    Raises:
        InputError: An argument does not fit, or the recipe cannot be imported by another process.
        RuntimeError: A run failed by itself.
    """
    if recipe.__module__ == "__main__":
        raise InputError(
            f"recipe {recipe.__name__} must be in a module that another process can import; "
            "move it from the script into a file of its own."
        )
    if kills < 1:
        raise InputError(f"kills must be a whole number, 1 or more; received {kills}.")
    bound = bind(recipe, **{"checkpoint_every": "1 steps", **arguments, "quiet": True})
    if bound["checkpoint_dir"] is not None:
        raise InputError(
            f"checkpoint_dir must be None here, where two runs are compared; received "
            f"{bound['checkpoint_dir']!r}, so leave it out."
        )
    with tempfile.TemporaryDirectory(prefix="kexp-verify-") as folder:
        alone, killed = Path(folder) / "alone", Path(folder) / "killed"
        _finish(_start(recipe, bound, alone))
        steps = newest_step(alone / "checkpoints")
        moments = np.random.default_rng(kill_seed)
        targets = sorted(moments.choice(np.arange(1, steps), size=min(kills, steps - 1), replace=False))
        done = [_kill_at(recipe, bound, killed, int(step), moments.uniform(0, 0.02)) for step in targets]
        _finish(_start(recipe, bound, killed))
        return ResumeReport(tuple(kill for kill in done if kill), _first_difference(alone, killed))


def _start(
    recipe: Callable[..., Result], arguments: dict[str, Any], run_dir: Path
) -> subprocess.Popen[bytes]:
    call = json.dumps({**arguments, "run_dir": str(run_dir)})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-c", _CALL, recipe.__module__, recipe.__name__, call],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the run failed with exit code {process.returncode}: {errors.decode()[-2000:]}")


def _kill_at(
    recipe: Callable[..., Result], arguments: dict[str, Any], run_dir: Path, step: int, delay_s: float
) -> Kill | None:
    """Start the run and kill it a moment after its checkpoint of `step`; None when it was through before."""
    process = _start(recipe, arguments, run_dir)
    checkpoints = run_dir / "checkpoints"
    while process.poll() is None and newest_step(checkpoints) < step:
        time.sleep(0.001)
    time.sleep(delay_s)
    if process.poll() is not None:
        _finish(process)
        return None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    torn = [*run_dir.glob(".*"), *checkpoints.glob(".*")]
    return Kill(newest_step(checkpoints), bool(torn))


def _first_difference(alone: Path, killed: Path) -> str | None:
    results = [json.loads((run / "result.json").read_text(encoding="utf-8")) for run in (alone, killed)]
    for name, value in results[0].items():
        if name not in _TIMES and value != results[1].get(name):
            return f"result.json: {name} is {results[1].get(name)} instead of {value}"
    checkpoints = [load_latest(run / "checkpoints") for run in (alone, killed)]
    if checkpoints[0] is None or checkpoints[1] is None:
        return "a run has no checkpoint at its end"
    if checkpoints[0].position != checkpoints[1].position:
        return f"the loop ends at {checkpoints[1].position} instead of {checkpoints[0].position}"
    for name, array in checkpoints[0].arrays.items():
        other = checkpoints[1].arrays[name]
        if array.tobytes() != other.tobytes():
            count = int(np.sum(array != other))
            return f"{name}, of shape {array.shape}, differs in {count} of {array.size} numbers"
    return None

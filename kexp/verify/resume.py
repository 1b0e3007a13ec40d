"""Whether a recipe that is killed again and again ends as one that is left alone."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kexp.core.constraints import Count, Seed, check_value
from kexp.core.errors import InputError
from kexp.core.processes import check_processes
from kexp.result import Result
from kexp.run.recipe_call import bind, refuse_callbacks, require_recipe
from kexp.run.run_files import read_result
from kexp.train.checkpoint.checkpoint import load_latest, newest_step
from kexp.verify.recipe_process import HISTORY, portable_call
from kexp.verify.worker_processes import Processes

Victim = Literal["all", "chief", "other"]
# What may differ in result.json; model.keras holds the time it was saved.
_TIMES = ("seconds", "classical_seconds", "files")


@dataclass(frozen=True)
class Kill:
    """One SIGKILL.

    Attributes:
        step: Steps that the newest checkpoint held at that moment.
        while_writing: Whether a file was being written.
        ended_s: Seconds until the workers that were not killed had ended.
    """

    step: int
    while_writing: bool
    ended_s: float


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
        ended_s = max((kill.ended_s for kill in self.kills), default=0.0)
        kills = "1 kill after step" if len(self.kills) == 1 else f"{len(self.kills)} kills after steps"
        return (
            f"{kills} {steps}, {writing} while a file was written, all processes gone within "
            f"{ended_s:.1f} s: {outcome}"
        )


def resume(
    recipe: Callable[..., Result],
    *,
    kills: int = 20,
    kill_seed: int = 0,
    workers: int = 1,
    victim: Victim = "all",
    history: bool = False,
    **arguments: Any,
) -> ResumeReport:
    """Run a recipe once untouched and once killed at random moments, and compare everything.

    Each run is a process of its own, or several that train together; the killed one is started again with
    the same call until it is through. Compared are, to the bit, weights, optimizer slots, random streams,
    running means, best weights, the history of every metric and the final ones.

    Args:
        recipe: A recipe, kexp's or your own.
        kills: SIGKILLs, default 20, 1 or more.
        kill_seed: Governs the moments, default 0.
        workers: Processes that train together, default 1, 1 or more.
        victim: Who is killed: "all" (default), the "chief", which writes, or an "other" one. Those that are
            left must end by themselves within a minute.
        history: Whether each process that is killed has trained another model before, as one of a notebook
            may have; the first and the last one are fresh. Default False; not for several workers.
        **arguments: Arguments of the recipe; checkpoints are written at every step unless they say
            something else.

    Raises:
        InputError: An argument does not fit, or recipe or data cannot be carried to another process.
        RuntimeError: A run failed by itself, or a worker did not end when another was killed.
    """
    require_recipe(recipe)
    kills = check_value("kills", kills, Count)
    kill_seed = check_value("kill_seed", kill_seed, Seed)
    workers = check_processes("workers", workers)
    victim = check_value("victim", victim, Victim)
    history = check_value("history", history, bool)
    refuse_callbacks(arguments)
    bound = bind(recipe, **{"checkpoint_every": "1 steps", **arguments, "quiet": True})
    if bound["checkpoint_dir"] is not None:
        raise InputError(
            f"checkpoint_dir must be None here, where two runs are compared; received "
            f"{bound['checkpoint_dir']!r}, so leave it out."
        )
    if history and workers > 1:
        raise InputError(
            f"history must be False for several workers, which begin before all else; received "
            f"workers={workers}."
        )
    victims = {"all": range(workers), "chief": [0], "other": [workers - 1]}[victim]
    with tempfile.TemporaryDirectory(prefix="kexp-verify-") as name:
        folder = Path(name)
        alone, killed = folder / "alone", folder / "killed"
        call = portable_call(recipe, bound, folder)
        Processes(_command(call, folder, alone), folder, workers).finish()
        steps = newest_step(alone / "checkpoints")
        moments = np.random.default_rng(kill_seed)
        targets = sorted(moments.choice(np.arange(1, steps), size=min(kills, steps - 1), replace=False))
        killed_call = [*_command(call, folder, killed), *([HISTORY] if history else [])]
        done = [
            _kill_at(
                Processes(killed_call, folder, workers), killed, int(step), moments.uniform(0, 0.02), victims
            )
            for step in targets
        ]
        Processes(_command(call, folder, killed), folder, workers).finish()
        return ResumeReport(tuple(kill for kill in done if kill), first_difference(alone, killed))


def _command(call: tuple[str, dict[str, Any]], folder: Path, run_dir: Path) -> list[str]:
    name, arguments = call
    given = json.dumps({**arguments, "run_dir": str(run_dir)})
    return ["-m", "kexp.verify.recipe_process", name, given, str(folder)]


def _kill_at(
    processes: Processes, run_dir: Path, step: int, delay_s: float, victims: Sequence[int]
) -> Kill | None:
    """Kill workers a moment after the checkpoint of `step`; None when the run was through before."""
    checkpoints = run_dir / "checkpoints"
    while not processes.over and newest_step(checkpoints) < step:
        time.sleep(0.001)
    time.sleep(delay_s)
    if processes.over:
        processes.finish()
        return None
    ended_s = processes.kill(victims)
    torn = [*run_dir.glob(".*"), *checkpoints.glob(".*")]
    return Kill(newest_step(checkpoints), bool(torn), ended_s)


def first_difference(alone: Path, killed: Path) -> str | None:
    """Say where two finished run folders differ first, to the bit and but for time; None where nowhere.

    Args:
        alone: Folder of the run that was left alone.
        killed: Folder of the other.
    """
    results = [read_result(run) for run in (alone, killed)]
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

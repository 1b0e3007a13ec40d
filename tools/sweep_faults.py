"""Sweeps under fire: workers and coordinators are killed and frozen at random; every sweep must end whole.

    python3 tools/sweep_faults.py --sweeps 30

Each sweep has twelve short trials, some of which crash, raise or give NaN by themselves, and is started
again whenever its coordinator was killed. Afterwards every trial is there exactly once, the table is that of
the same sweep left alone, no process is left, and the record passes SQLite's own check. A last sweep meets a
full disk. Exit code 1 if any of it fails.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

TRIALS = 12
LEASE_S = 6.0
FAULTS = ("segfault", "raise", "nan", "none")
# What every sweep goes through, in an order of its own, as far as it has not come to its end before.
ACTIONS = (*["kill worker"] * 3, *["kill coordinator"] * 3, "freeze worker")
_CALL = """
import json, sys
import kexp.sweep
from tests.sweep.planted_recipes import planted
options = json.loads(sys.argv[1])
kexp.sweep(planted, **options)
"""


def main() -> None:
    """Run the campaign and exit with 1 if a sweep did not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sweeps", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=TRIALS)
    arguments = parser.parse_args()
    moments, counts, wrong = random.Random(arguments.seed), collections.Counter(), 0
    references: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="kexp-faults-") as folder:
        for number in range(arguments.sweeps):
            fault = FAULTS[number % len(FAULTS)]
            options = _options(fault, arguments.trials)
            if fault not in references:
                references[fault] = _left_alone(Path(folder) / f"alone-{fault}", options)
            problems, done, seconds = _under_fire(
                Path(folder) / f"{number}", options, moments, references[fault]
            )
            counts.update(done)
            wrong += bool(problems)
            shown = ", ".join(f"{count} × {action}" for action, count in collections.Counter(done).items())
            print(
                f"{number + 1}/{arguments.sweeps} {fault}: {shown}; {seconds:.0f} s; {problems or 'whole'}",
                flush=True,
            )
        full = _on_a_full_disk(Path(folder) / "full", _options("none", arguments.trials))
    print(f"full disk: {full}")
    print(f"{arguments.sweeps - wrong} of {arguments.sweeps} sweeps whole; {dict(counts)}")
    sys.exit(bool(wrong) or full not in ("whole", "not tried: no tmpfs may be mounted here"))


def _options(fault: str, trials: int) -> dict[str, Any]:
    return {
        "trials": trials,
        "workers": 2,
        "lease_s": LEASE_S,
        "quiet": True,
        "fault": fault,
        "faulty_dropout": 0.4,
        "epochs": 8,
        "checkpoint_every": "5 steps",
    }


def _start(directory: Path, options: dict[str, Any]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _CALL, json.dumps({**options, "dir": str(directory)})],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _left_alone(directory: Path, options: dict[str, Any]) -> list[Any]:
    process = _start(directory, options)
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"The sweep left alone failed: {errors.decode()[-3000:]}")
    return _table(directory)


def _under_fire(
    directory: Path, options: dict[str, Any], moments: random.Random, reference: list[Any]
) -> tuple[list[str], list[str], float]:
    """Return what is wrong afterwards, what was done to the sweep, and its seconds."""
    started_s, done, process = time.monotonic(), [], _start(directory, options)
    planned = moments.sample(ACTIONS, len(ACTIONS))
    due_s = time.monotonic() + moments.uniform(3, 9)
    while process.poll() is None or process.returncode == -signal.SIGKILL:
        if process.poll() is not None:
            process.communicate()
            process = _start(directory, options)
        if planned and time.monotonic() >= due_s and _inflict(planned[0], process, moments):
            done.append(planned.pop(0))
            due_s = time.monotonic() + moments.uniform(0.3, 5)
        time.sleep(0.02)
    _, errors = process.communicate()
    problems = [f"exit code {process.returncode}: {errors.decode()[-2000:]}"] if process.returncode else []
    problems += _problems(directory, options["trials"])
    if not problems and _table(directory) != reference:
        found = _first_difference(_table(directory), reference)
        problems.append(f"the table differs: {found}; errors {_table(directory, 'error')}")
    return problems, done, time.monotonic() - started_s


def _inflict(action: str, process: subprocess.Popen[bytes], moments: random.Random) -> bool:
    """Do it, and return whether there was something to do it to."""
    if action == "kill coordinator":
        process.kill()
        process.wait()
        return True
    try:
        workers = [
            child
            for child in psutil.Process(process.pid).children()
            if "kexp.sweep.executors.local_worker" in child.cmdline()
        ]
        if not workers:
            return False
        moments.choice(workers).send_signal(signal.SIGSTOP if action == "freeze worker" else signal.SIGKILL)
    except psutil.Error:
        return False
    return True


def _problems(directory: Path, trials: int) -> list[str]:
    """Return what does not hold of a sweep that has ended."""
    problems = []
    with sqlite3.connect(directory / "sweep.sqlite") as connection:
        if (check := connection.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            problems.append(f"integrity_check: {check}")
        states = dict(connection.execute("SELECT number, state FROM trials"))
        told = collections.Counter(
            number for (number,) in connection.execute("SELECT trial FROM events WHERE kind = 'told'")
        )
    if sorted(states) != list(range(trials)) or not set(states.values()) <= {"completed", "failed"}:
        problems.append(f"states {states}")
    if told != dict.fromkeys(range(trials), 1):
        problems.append(f"told {dict(told)}")
    time.sleep(0.5)
    left = [process.pid for process in psutil.process_iter() if str(directory) in " ".join(_command(process))]
    if left:
        problems.append(f"processes {left} are left")
    held = [path.parent.name for path in (directory / "trials").glob("*/model.keras")]
    if len(held) > 3:
        problems.append(f"trials {held} hold weights")
    return problems


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _table(directory: Path, columns: str = "searched, arguments, state, metrics, score") -> list[Any]:
    with sqlite3.connect(directory / "sweep.sqlite") as connection:
        rows = connection.execute(f"SELECT number, {columns} FROM trials ORDER BY number")
        return [tuple(row) for row in rows]


def _first_difference(table: list[Any], reference: list[Any]) -> str:
    return next(
        f"{one} instead of {other}" for one, other in zip(table, reference, strict=False) if one != other
    )


def _on_a_full_disk(directory: Path, options: dict[str, Any]) -> str:
    """Return what came of a sweep in too small a file system, that gets room when it has complained."""
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(directory)], capture_output=True
    )
    if mounted.returncode:
        return "not tried: no tmpfs may be mounted here"
    try:
        process = _start(directory / "sweep", options)
        _, errors = process.communicate(timeout=300)
        if process.returncode == 0 or "full disk" not in errors.decode():
            return f"exit code {process.returncode}: {errors.decode()[-2000:]}"
        subprocess.run(["mount", "-o", "remount,size=100m", str(directory)], check=True)
        again = _start(directory / "sweep", options)
        _, errors = again.communicate(timeout=300)
        problems = (
            [errors.decode()[-2000:]]
            if again.returncode
            else _problems(directory / "sweep", options["trials"])
        )
        return "; ".join(problems) or "whole"
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=False)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

"""A worker: a process that imports TensorFlow once, loads data once, and runs trials until it is stopped."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import os
import signal
import sqlite3
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kexp.core.processes import die_with
from kexp.core.signals import Stopped
from kexp.sweep.algorithms import drawn
from kexp.sweep.calls import KeptData, disk_is_full, look, prepared, recipe_of, tested
from kexp.sweep.folders import FULL_DISK, LOST_LEASE, folder_bytes, trial_folder
from kexp.sweep.prune import Pruner
from kexp.sweep.space import Dimension
from kexp.sweep.store import Store, Trial

HEARTBEAT_S = 2.0
_IDLE_S = 0.05


def main() -> None:
    """Run trials of a sweep until standard input is closed or SIGTERM comes."""
    arguments = _arguments()
    die_with(arguments.coordinator)
    faulthandler.enable()
    if arguments.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in arguments.cores.split(",")})
    signal.signal(signal.SIGTERM, _end_unless_pruned)  # a run that trains has a better handler
    try:
        heart = Heart(arguments.directory, arguments.name)
        heart.start()
        _work(arguments.directory, arguments.name, arguments.threads, heart)
    except (OSError, sqlite3.OperationalError) as error:
        if disk_is_full(error):
            os._exit(FULL_DISK)
        raise


_pruner: Pruner | None = None  # of the trial that runs


def _end_unless_pruned(number: int, frame: Any) -> None:
    if _pruner is None or _pruner.reason is None:  # a trial that was through anyway is not pruned
        os._exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("name")
    parser.add_argument("--coordinator", type=int)
    parser.add_argument("--cores", default="")
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args()


def _work(directory: Path, name: str, threads: int, heart: Heart) -> None:
    store = Store(directory)
    description = store.fact("sweep")
    data = prepared(threads)
    recipe = recipe_of(description["recipe"])
    while True:
        _for_the_sweep(store, directory, recipe, data, slot=int(name.partition("-")[0]))
        trial = store.claim(name)
        if trial is None:
            time.sleep(_IDLE_S)
        else:
            _run(store, directory, recipe, trial, heart)


def _for_the_sweep(
    store: Store, directory: Path, recipe: Callable[..., Any], data: KeptData, slot: int
) -> None:
    """Do what is asked once: draw trials, look at what a run is like, open the test part for the winners."""
    draw = store.fact("draw")
    if draw and slot == draw["slot"]:
        dimensions = [Dimension.from_json(fields) for fields in store.fact("dimensions")]
        sweep = store.fact("sweep")
        values = drawn(sweep["algorithm"], dimensions, sweep["seed"], draw["trials"])
        store.set_facts(drawn=values, draw=None)
    if slot:
        return
    if store.fact("look") == "wanted":
        store.set_facts(look=look(recipe, store.fact("sweep")["arguments"]))
    winners = store.fact("winners")
    if winners:
        trials = [trial for trial in store.trials() if trial.number in winners]
        with data.test_part():
            metrics = [
                tested(recipe, trial.arguments, trial_folder(directory, trial.number)) for trial in trials
            ]
        store.set_facts(tested={"trials": winners, "metrics": metrics}, winners=None)


def _run(store: Store, directory: Path, recipe: Callable[..., Any], trial: Trial, heart: Heart) -> None:
    """Run a trial to its end and record it; a signal to stop gives it back, saved."""
    import keras

    keras.utils.clear_session()
    heart.hold(trial)
    folder = trial_folder(directory, trial.number)
    pruner = _pruning(store, directory, trial, folder)
    try:
        result = recipe(**trial.arguments, run_dir=str(folder), quiet=True)
        metrics = {name: float(value) for name, value in result.metrics.items()}
    except Stopped:
        if pruner is None or pruner.reason is None:
            heart.end(store.release)
            os._exit(0)
        figures = {name: value for name, value in pruner.figures.items() if name != "epoch"}
        more = {"metrics": json.dumps(figures), "bytes": folder_bytes(folder)}
        heart.end(store.fail, pruner.reason, state="pruned", **more)
    except Exception as error:
        if disk_is_full(error):
            os._exit(FULL_DISK)
        text = "".join(traceback.format_exception(error))
        print(f"trial {trial.number}, {json.dumps(trial.arguments)}\n{text}", file=sys.stderr, flush=True)
        heart.end(store.fail, text, bytes=folder_bytes(folder))
    else:
        heart.end(store.complete, metrics, bytes=folder_bytes(folder))
    finally:
        if pruner is not None:
            pruner.stop()


def _pruning(store: Store, directory: Path, trial: Trial, folder: Path) -> Pruner | None:
    global _pruner
    _pruner = Pruner(directory, trial, folder) if store.fact("sweep")["prune"] else None
    if _pruner is not None:
        _pruner.start()
    return _pruner


class Heart(threading.Thread):
    """Says every few seconds that this worker lives, and ends it when its trial has become another's.

    Args:
        directory: The sweep folder.
        owner: The worker's name.
    """

    def __init__(self, directory: Path, owner: str) -> None:
        super().__init__(daemon=True)
        self._directory = directory
        self._owner = owner
        self._trial: Trial | None = None
        self._started_s = 0.0
        self._lock = threading.Lock()

    def run(self) -> None:
        store = Store(self._directory)
        while True:
            with contextlib.suppress(sqlite3.OperationalError), self._lock:  # a full disk
                store.beat(self._owner)
                trial = self._trial
                if trial is not None and not store.extend(trial.number, trial.token, self.seconds()):
                    os._exit(LOST_LEASE)
            time.sleep(HEARTBEAT_S)

    def hold(self, trial: Trial) -> None:
        """Extend the lease of a trial from now on."""
        with self._lock:
            self._trial, self._started_s = trial, time.monotonic()

    def seconds(self) -> float:
        """Return the seconds spent on the trial, those of earlier leases included."""
        before = 0.0 if self._trial is None else self._trial.seconds
        return round(before + time.monotonic() - self._started_s, 3)

    def end(self, write: Callable[..., bool], *content: Any, **columns: Any) -> None:
        """Write how the trial ended, and end the worker when it was another's to write."""
        with self._lock:
            trial, columns["seconds"] = self._trial, self.seconds()
            self._trial = None
            if trial is None or not write(trial.number, trial.token, *content, **columns):
                os._exit(LOST_LEASE)


if __name__ == "__main__":
    main()

"""A worker: a process that imports TensorFlow once, loads data once, and runs trials until it is stopped."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import errno
import faulthandler
import functools
import importlib
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

from kexp.sweep.folders import FULL_DISK, LOST_LEASE, folder_bytes, trial_folder
from kexp.sweep.prune import Pruner
from kexp.sweep.store import Store, Trial
from kexp.train.signals import Stopped

HEARTBEAT_S = 2.0
_IDLE_S = 0.05
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run trials of a sweep until standard input is closed or SIGTERM comes."""
    arguments = _arguments()
    _die_with(arguments.coordinator)
    faulthandler.enable()
    if arguments.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in arguments.cores.split(",")})
    signal.signal(signal.SIGTERM, _end_unless_pruned)  # a run that trains has a better handler
    try:
        heart = Heart(arguments.directory, arguments.name)
        heart.start()
        _work(arguments.directory, arguments.name, arguments.threads, heart)
    except (OSError, sqlite3.OperationalError) as error:
        if _disk_is_full(error):
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


def _die_with(coordinator: int) -> None:
    """End this process when the coordinator ends, however it ends."""
    if sys.platform == "linux":  # which also ends a worker that is frozen
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != coordinator:
        os._exit(1)

    def watch() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(directory: Path, name: str, threads: int, heart: Heart) -> None:
    store = Store(directory)
    description = store.fact("sweep")
    import tensorflow as tf

    if threads:  # the same number whatever cores there are to run on: sums are split by it
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    data = KeptData()
    recipe = recipe_of(description["recipe"])
    while True:
        if name.startswith("0-"):
            _for_the_sweep(store, directory, recipe, data)
        trial = store.claim(name)
        if trial is None:
            time.sleep(_IDLE_S)
        else:
            _run(store, directory, recipe, trial, heart)


def _for_the_sweep(store: Store, directory: Path, recipe: Callable[..., Any], data: KeptData) -> None:
    """Do what is asked once: look at what a run is like, and open the test part for the winner."""
    if store.fact("look") == "wanted":
        store.set_facts(look=_look(recipe, store.fact("sweep")["arguments"]))
    winner = store.fact("winner")
    if winner is not None:
        data.test = True
        store.set_facts(tested=_test(directory, recipe, winner), winner=None)
        data.test = False


def recipe_of(name: str) -> Callable[..., Any]:
    """Return the recipe of a name such as "kexp.recipes.mlp_images:mlp_images"."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


class KeptData:
    """Takes the place of `kexp.data.load`: remembers what was loaded last, and keeps the test part back.

    Attributes:
        test: Whether the test part is handed out; a trial never sees it.
    """

    def __init__(self) -> None:
        import kexp.data

        self.test = False
        self._load = kexp.data.load
        self._kept = functools.lru_cache(maxsize=2)(self._loaded)

        @functools.wraps(self._load)
        def load(source: Any, **options: Any) -> Any:
            return self.load(source, **options)

        kexp.data.load = load

    def load(self, source: Any, **options: Any) -> Any:
        names, values = tuple(options), tuple(options.values())
        try:
            data = self._kept(source, names, values)
        except TypeError:  # of an argument without a hash
            data = self._loaded(source, names, values)
        return data if self.test else dataclasses.replace(data, test=None)

    def _loaded(self, source: Any, names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
        return self._load(source, **dict(zip(names, values, strict=True)))


def _test(directory: Path, recipe: Callable[..., Any], number: int) -> dict[str, Any]:
    """Measure the winner on test data: its run ends a second time, with the test part at hand."""
    trial = next(trial for trial in Store(directory).trials() if trial.number == number)
    folder = trial_folder(directory, number)
    (folder / "result.json").unlink(missing_ok=True)
    result = recipe(**trial.arguments, run_dir=str(folder), quiet=True)
    return {"trial": number, "metrics": {name: float(value) for name, value in result.metrics.items()}}


def _look(recipe: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what a run monitors and about what it takes, or the mistake in the arguments."""
    from kexp.errors import InputError
    from kexp.run.intercept import instead_of_training

    try:
        return instead_of_training(_seen, recipe, **arguments, quiet=True)
    except InputError as error:
        return {"mistake": str(error)}
    except Exception:
        return {}  # the trials will say


def _seen(training: Any) -> dict[str, Any]:
    from kexp.run.preflight.figures import figures

    objective = training.objective
    directions = {metric.name: getattr(metric, "_direction", None) for metric in objective.metrics}
    expected = figures(training)
    return {
        "monitor": objective.monitor if training.data.validation is not None else None,
        "mode": objective.mode,
        "directions": {name: "min" if way == "down" else "max" for name, way in directions.items() if way},
        "seconds": expected.run_s,
        "bytes": expected.disk_bytes,
    }


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
        if _disk_is_full(error):
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


def _disk_is_full(error: BaseException | None) -> bool:
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error):
            return True
        error = error.__cause__
    return False


if __name__ == "__main__":
    main()

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
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.core.processes import die_with
from kexp.sweep.executors.base import FULL_DISK, LOST_LEASE
from kexp.sweep.folders import trial_bytes, trial_folder
from kexp.sweep.metadata import DESCRIPTION, DIMENSIONS, DRAW, DRAWN, EVALUATION, PROBE, WINNERS
from kexp.sweep.pruning import Pruner
from kexp.sweep.record_file import RecordLocked
from kexp.sweep.search.fixed_list import draw
from kexp.sweep.state import (
    Ending,
    Evaluation,
    Failed,
    FullDisk,
    ProbeResult,
    Pruned,
    Requested,
    Stopped,
    Trial,
    TrialOutcome,
)
from kexp.sweep.store import Store
from kexp.sweep.trial_runner import disk_is_full, runner_for

HEARTBEAT_S = 2.0
_IDLE_S = 0.05


def main(kind: type[LocalWorker] | None = None) -> None:
    """Run trials of a sweep until standard input is closed or SIGTERM comes.

    Args:
        kind: Of the worker; default: one that runs one trial after the other.
    """
    arguments = _arguments()
    die_with(arguments.coordinator)
    faulthandler.enable()
    if arguments.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in arguments.cores.split(",")})
    signal.signal(signal.SIGTERM, _end_unless_pruned)  # a run that trains has a better handler
    try:
        heartbeat = HeartbeatThread(arguments.directory, arguments.name)
        heartbeat.start()
        worker = (kind or LocalWorker)(arguments.directory, arguments.name, arguments.threads, heartbeat)
        worker.work()
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


class LocalWorker:
    """Does what the record asks for, one thing after another.

    Args:
        directory: The sweep folder.
        name: Its own; the first number is its slot.
        threads: Of TensorFlow.
        heartbeat: Says that it lives.

    Attributes:
        store: The record.
        description: Of the sweep.
        runner: Calls the recipe.
    """

    def __init__(self, directory: Path, name: str, threads: int, heartbeat: HeartbeatThread) -> None:
        self.directory = directory
        self.name = name
        self._slot = int(name.partition("-")[0])
        self.heartbeat = heartbeat
        self.store = Store(directory)
        self.description = self.store.require(DESCRIPTION)
        try:
            self.runner = runner_for(self.description.recipe, threads, directory)
        except InputError as error:
            if self.store.read(PROBE) is Requested.REQUESTED:  # the sweep's caller is to be told
                self.store.write(PROBE.written(ProbeResult(mistake=str(error))))
            raise

    def work(self) -> None:
        """Run trials and answer requests until this process is ended."""
        while True:
            self._draw()
            if self._slot == 0:
                self._probe()
                self._evaluate()
            if not self.run_next():
                time.sleep(_IDLE_S)

    def run_next(self) -> bool:
        """Run a trial that waits, and return whether there was one."""
        trial = self.store.claim(self.name)
        if trial is not None:
            self.run(trial)
        return trial is not None

    def _draw(self) -> None:
        """Draw the values of all trials if this worker is asked to."""
        request = self.store.read(DRAW)
        if request is None or request.slot != self._slot:
            return
        description, dimensions = self.description, self.store.require(DIMENSIONS)
        values = draw(description.algorithm, dimensions, description.seed, request.trials)
        self.store.write(DRAWN.written(values), DRAW.written(None))

    def _probe(self) -> None:
        if self.store.read(PROBE) is Requested.REQUESTED:
            asked = self.description
            found = self.runner.probe(asked.arguments, asked.objective, asked.held(0))
            if isinstance(found, Stopped):
                os._exit(0)
            self.store.write(PROBE.written(found))

    def _evaluate(self) -> None:
        winners = self.store.read(WINNERS)
        if not winners:
            return
        runs = [
            (trial.arguments, trial_folder(self.directory, trial.number))
            for trial in self.store.trials()
            if trial.number in winners
        ]
        found = self.runner.evaluate(runs)
        match found:
            case FullDisk():
                os._exit(FULL_DISK)
            case Stopped():
                os._exit(0)
            case Failed(error):
                evaluation = Evaluation(winners, [], error)
            case metrics:
                evaluation = Evaluation(winners, metrics)
        self.store.write(EVALUATION.written(evaluation), WINNERS.written(None))

    def run(self, trial: Trial) -> None:
        """Run a trial to its end and record it; a signal to stop gives it back, saved."""
        self.heartbeat.hold(trial)
        folder = trial_folder(self.directory, trial.number)
        pruner = self._pruner(trial, folder)
        held = self.description.held(trial.number)
        outcome: TrialOutcome | Pruned = self.runner.run_trial(trial.arguments, folder, held)
        if pruner is not None:
            pruner.stop()
        if isinstance(outcome, Stopped) and pruner is not None and pruner.reason is not None:
            last = {name: value for name, value in pruner.metrics.items() if name != "epoch"}
            outcome = Pruned(pruner.reason, last)
        self.end(trial, outcome)
        if isinstance(outcome, Stopped):
            os._exit(0)

    def end(self, trial: Trial, outcome: TrialOutcome | Pruned) -> None:
        """Record how a trial ended, or that it waits where it was stopped."""
        match outcome:
            case FullDisk():
                os._exit(FULL_DISK)
            case Stopped():
                self.heartbeat.end(self.store, trial, outcome)
                return
            case Failed(error):
                print(
                    f"trial {trial.number}, {json.dumps(trial.arguments)}\n{error}",
                    file=sys.stderr,
                    flush=True,
                )
        folder = trial_folder(self.directory, trial.number)
        self.heartbeat.end(self.store, trial, outcome, bytes=trial_bytes(folder))

    def _pruner(self, trial: Trial, folder: Path) -> Pruner | None:
        global _pruner
        _pruner = Pruner(self.directory, trial, folder) if self.description.prune else None
        if _pruner is not None:
            _pruner.start()
        return _pruner


class HeartbeatThread(threading.Thread):
    """Says every few seconds that this worker lives, and ends it when a trial of it has become another's.

    Args:
        directory: The sweep folder.
        owner: The worker's name.
    """

    def __init__(self, directory: Path, owner: str) -> None:
        super().__init__(daemon=True)
        self._directory = directory
        self._owner = owner
        self._held: dict[int, tuple[Trial, float]] = {}  # with when each was taken
        self._lock = threading.Lock()

    def run(self) -> None:
        store = Store(self._directory)
        while True:
            with contextlib.suppress(sqlite3.OperationalError, RecordLocked), self._lock:  # a full disk
                store.heartbeat(self._owner)
                for trial, _ in self._held.values():
                    if not store.extend_lease(trial.number, trial.token, self._seconds(trial)):
                        os._exit(LOST_LEASE)
            time.sleep(HEARTBEAT_S)

    def hold(self, trial: Trial) -> None:
        """Extend the lease of a trial from now on."""
        with self._lock:
            self._held[trial.number] = trial, time.monotonic()

    def end(self, store: Store, trial: Trial, outcome: Ending, **columns: float) -> None:
        """Record how a trial ended, and end the worker when it was another's to record."""
        with self._lock:
            seconds = self._seconds(trial)
            del self._held[trial.number]
            if not store.end(trial.number, trial.token, outcome, seconds=seconds, **columns):
                os._exit(LOST_LEASE)

    def _seconds(self, trial: Trial) -> float:
        """Return the seconds spent on a trial, those of earlier leases included."""
        return round(trial.seconds + time.monotonic() - self._held[trial.number][1], 3)


if __name__ == "__main__":
    main()

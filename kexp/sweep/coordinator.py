"""The coordinator: hands out trials, watches over the workers, and brings a sweep to its end."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.core.search import TrialState
from kexp.core.signals import StopRequest
from kexp.sweep.budget import Budget
from kexp.sweep.executors.base import FULL_DISK, Executor, WorkerExit
from kexp.sweep.folders import prune_artifacts, steps_done, trial_bytes, trial_folder
from kexp.sweep.metadata import DRAW, EVALUATION, PROBE, TARGET, WINNERS
from kexp.sweep.record_file import ADVICE, RecordLocked
from kexp.sweep.search.algorithm import ROUND, Algorithm, Proposal
from kexp.sweep.state import Event, EventKind, ProbeResult, Requested, Trial
from kexp.sweep.store import Store
from kexp.sweep.target_metric import TargetMetric
from kexp.sweep.terminal_progress import SweepProgress

_TICK_S = 0.05
# Deaths of workers, without progress in between, until a trial has failed: a crash is the trial's own doing,
# while a kill may have come from anywhere.
_CRASHES, _DEATHS = 3, 6
_CRASH_SIGNALS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)


class SweepStopped(KeyboardInterrupt):
    """A sweep was asked to stop by a signal; running trials are saved, and the same line goes on.

    Attributes:
        signal_number: SIGINT or SIGTERM.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}")
        self.signal_number = signal_number


@dataclass(frozen=True)
class Plan:
    """What a call of `kexp.sweep` asks for, beyond what the folder records for good."""

    directory: Path
    arguments: Callable[[dict[str, Any]], dict[str, Any]]  # of the recipe, for a trial's values
    winners: Callable[[Sequence[Trial]], list[int]]  # whose test metrics are measured at the end
    trials: int
    keep: int
    lease_s: float
    synchronous: bool


class Coordinator:
    """Brings a sweep to its end, or to the end of its budget.

    Args:
        plan: What is asked for.
        store: The record.
        algorithm: Proposes trials; as it was when the sweep began.
        target: The metric that decides.
        budget: What the sweep may take.
        progress: Tells the terminal.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        algorithm: Algorithm,
        target: TargetMetric,
        budget: Budget,
        progress: SweepProgress,
    ) -> None:
        self.plan = plan
        self.store = store
        self.algorithm = algorithm
        self.target = target
        self.budget = budget
        self.progress = progress
        self._exhausted = False
        self._waits = False  # until the algorithm is told something
        self._idle_deaths = 0
        self._probed = False
        self._exits: list[WorkerExit] = []  # of which the record does not know yet
        self._answer: Proposal | str | None = None  # likewise

    def run(self, executor: Executor) -> None:
        """Run until all trials have ended.

        Raises:
            SweepStopped: SIGINT or SIGTERM came.
            InputError: The disk is full, or the recipe cannot be called as asked.
            RuntimeError: Workers cannot be started, or the winner cannot be measured on test data.
        """
        with StopRequest() as stop:
            while not self._step_unless_locked(executor):
                if stop.signal_number or self.budget.reached:
                    executor.stop()
                    self._settle()
                    break
                time.sleep(_TICK_S)
        if stop.signal_number:
            raise SweepStopped(stop.signal_number)

    def _step_unless_locked(self, executor: Executor) -> bool:
        try:
            self.budget.check()
            return self._step(executor)
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise self._full_disk() from error
            raise
        except RecordLocked:
            # A worker was frozen in the middle of a write; it is found by its heartbeat, and killed.
            self._note_exits(executor)
            return False

    def _step(self, executor: Executor) -> bool:
        """Do what there is to do, and return whether the sweep is at its end."""
        self._check_workers(executor)
        executor.schedule()
        probe = self.store.read(PROBE)
        if not isinstance(probe, ProbeResult):
            return False
        if not self._probed:
            self.target.settle(probe)
            self.progress.estimate(probe)
            self._probed = True
        if self.store.read(DRAW) is not None:
            return False
        if self.store.read(TARGET) != self.target.record:
            self.store.write(TARGET.written(self.target.record))
        self._collect()
        self._propose()
        return self._exhausted and self._all_reported() and self._winners_evaluated()

    def _check_workers(self, executor: Executor) -> None:
        self._note_exits(executor)
        while self._exits:
            self._take_over(self._exits[0])
            self._exits.pop(0)

    def _note_exits(self, executor: Executor) -> None:
        self._exits += executor.poll()
        self._exits += executor.reap_stalled(self.store.heartbeats(), self.plan.lease_s)

    def _take_over(self, ended: WorkerExit) -> None:
        """Have the trials of a dead worker continued by another one, unless it is the trial that kills."""
        if ended.code == FULL_DISK:
            raise self._full_disk()
        held = [trial for trial in self.store.trials() if trial.owner == ended.owner]
        for trial in held:
            self._release(trial, ended)
        if not held and ended.code:
            self._count_idle_death(ended)

    def _release(self, trial: Trial, ended: WorkerExit) -> None:
        step = steps_done(trial_folder(self.plan.directory, trial.number))
        deaths = trial.deaths + 1 if step == trial.step else 1
        columns = {"state": TrialState.WAITING.value, "owner": None, "deaths": deaths, "step": step}
        if deaths >= (_CRASHES if -ended.code in _CRASH_SIGNALS else _DEATHS):
            error = f"Its worker died {deaths} times without progress; at last {ended.reason}."
            columns |= {"state": TrialState.FAILED.value, "error": f"{error}\n{ended.log_tail()}"}
        self.store.update(trial.number, **columns)

    def _count_idle_death(self, ended: WorkerExit) -> None:
        self._idle_deaths += 1
        if self._idle_deaths >= _CRASHES and self.store.read(PROBE) is Requested.REQUESTED:
            self.store.write(PROBE.written(ProbeResult()))  # the trials will say what is wrong
        if self._idle_deaths > _DEATHS:
            raise RuntimeError(f"Workers cannot be started: {ended.reason}.\n{ended.log_tail()}")

    def _collect(self) -> None:
        """Tell the algorithm of trials that have ended; in a synchronous sweep by rounds, in order."""
        trials = self.store.trials()
        ended = [trial for trial in trials if trial.state.ended and not trial.reported]
        if self.plan.synchronous and any(not trial.state.ended for trial in trials):
            return
        for trial in ended:
            state, score, error = self.target.judged(trial)
            self.store.mark_reported(trial.number, score, state, error)
            self.algorithm.tell(trial.number, self.target.to_maximise(score))
            self._waits = False
        if ended:
            self._prune_artifacts()
            for trial in self.store.trials():
                if trial.number in {one.number for one in ended}:
                    self.progress.trial(trial, self.store.trials(), self.target)

    def _propose(self) -> None:
        if self._exhausted or self._waits:
            return
        while self._has_room():
            answer = self._answer = self._answer or self.algorithm.ask(self.plan.trials)
            if isinstance(answer, Proposal):
                arguments = self.plan.arguments(answer.values)
                if answer.epochs is not None:
                    arguments["epochs"] = answer.epochs
                self.store.create(answer.number, answer.values, arguments, self.plan.trials)
            else:
                self.store.add_event(Event(EventKind.ASKED, None, self.plan.trials))
                self._waits, self._exhausted = True, answer == "done"
            self._answer = None
            if self._waits:
                return

    def _has_room(self) -> bool:
        """Return whether another trial is to be proposed now."""
        trials = self.store.trials()
        still_open = sum(not trial.reported for trial in trials)
        if not self.algorithm.order_matters:
            return still_open < 2 * self.progress.at_once
        if not self.plan.synchronous:
            return still_open < self.progress.at_once
        return still_open < ROUND and all(
            trial.state == TrialState.WAITING for trial in trials if not trial.reported
        )

    def _all_reported(self) -> bool:
        return all(trial.reported for trial in self.store.trials())

    def _winners_evaluated(self) -> bool:
        """Have the winners measured on test data, once, and return whether they are."""
        winners = self.plan.winners(self.store.trials())
        found = self.store.read(EVALUATION)
        if found is not None and found.error is not None:
            self.store.write(EVALUATION.written(None))  # the same line tries again
            raise RuntimeError(f"The winner could not be measured on test data: {found.error}")
        if not winners or (found is not None and found.trials == winners):
            return True
        if self.store.read(WINNERS) is None:
            self.store.write(WINNERS.written(winners))
        return False

    def _prune_artifacts(self) -> None:
        """Leave weights to the best trials alone, and to those that may go on."""
        trials = self.store.trials()
        kept = {trial.number for trial in self.target.ranked(trials)[: self.plan.keep]}
        kept |= self.algorithm.may_continue()
        for trial in trials:
            if trial.reported and not trial.stripped and trial.number not in kept:
                folder = trial_folder(self.plan.directory, trial.number)
                prune_artifacts(folder)
                self.store.update(trial.number, stripped=1, bytes=trial_bytes(folder))

    def _settle(self) -> None:
        """Take in how trials ended while the workers were stopped."""
        self.store.release_all()
        self._collect()

    def _full_disk(self) -> InputError:
        return InputError(
            f"dir {self.plan.directory} is on a full disk; free some space and repeat the same line, which "
            "goes on from the last checkpoints."
        )


def replay(store: Store, algorithm: Algorithm, target: TargetMetric) -> None:
    """Bring a new algorithm to where the one of an interrupted sweep was."""
    probe = store.read(PROBE)
    if isinstance(probe, ProbeResult):
        target.settle(probe)
    searched = {trial.number: trial.searched for trial in store.trials()}
    for event in store.events():
        if event.trial is not None and event.trial not in searched:
            raise InputError(
                f"file {store.path}: its events name a trial {event.trial} that it does not hold; {ADVICE}."
            )
        if event.kind is EventKind.ASKED:
            algorithm.replay(event.content, None if event.trial is None else searched[event.trial])
        elif event.trial is not None:
            algorithm.tell(event.trial, target.to_maximise(event.content))

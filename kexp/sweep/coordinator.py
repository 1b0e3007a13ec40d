"""The coordinator: hands out trials, watches over the workers, and brings a sweep to its end."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kexp.core.errors import InputError
from kexp.core.signals import StopRequest
from kexp.sweep.algorithms import ROUND, Algorithm, Proposal
from kexp.sweep.budget import Budget
from kexp.sweep.folders import FULL_DISK, folder_bytes, strip, trial_folder
from kexp.sweep.lines import Lines
from kexp.sweep.objective import Objective
from kexp.sweep.pool import Death
from kexp.sweep.store import ENDED, Store, Trial
from kexp.train.checkpoint.checkpoint import newest_step

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


class Workers(Protocol):
    """Who runs the trials: processes on this machine, or tasks on a cluster."""

    def deaths(self) -> Iterable[Death]:
        """Return the workers that have ended since the last call, each replaced; called all the time."""

    def frozen(self, beats: Mapping[str, float], lease_s: float) -> Iterable[Death]:
        """Return those that gave no sign of life for so long, replaced after they were killed."""

    def stop(self) -> None:
        """Have all save their state and end."""


@dataclass(frozen=True)
class Plan:
    """What a call of `kexp.sweep` asks for, beyond what the folder records for good."""

    directory: Path
    arguments: Callable[[dict[str, Any]], dict[str, Any]]  # of the recipe, for a trial's values
    winners: Callable[[Sequence[Trial]], list[int]]  # whose test figures are measured at the end
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
        objective: The figure that decides.
        budget: What the sweep may take.
        lines: Tells the terminal.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        algorithm: Algorithm,
        objective: Objective,
        budget: Budget,
        lines: Lines,
    ) -> None:
        self.plan = plan
        self.store = store
        self.algorithm = algorithm
        self.objective = objective
        self.budget = budget
        self.lines = lines
        self._exhausted = False
        self._waits = False  # until the algorithm is told something
        self._idle_deaths = 0
        self._looked = False
        self._dead: list[Death] = []  # of which the record does not know yet
        self._answer: Proposal | str | None = None  # likewise

    def run(self, pool: Workers) -> None:
        """Run until all trials have ended.

        Raises:
            SweepStopped: SIGINT or SIGTERM came.
            InputError: The disk is full, or the recipe cannot be called as asked.
        """
        with StopRequest() as stop:
            while not self._step_unless_locked(pool):
                if stop.signal_number or self.budget.reached:
                    pool.stop()
                    self._settle()
                    break
                time.sleep(_TICK_S)
        if stop.signal_number:
            raise SweepStopped(stop.signal_number)

    def _step_unless_locked(self, pool: Workers) -> bool:
        try:
            self.budget.look()
            return self._step(pool)
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise self._full_disk() from error
            if "locked" in str(error):
                # A worker was frozen in the middle of a write; it is found by its heartbeat, and killed.
                self._watch(pool, write=False)
                return False
            raise

    def _step(self, pool: Workers) -> bool:
        """Do what there is to do, and return whether the sweep is at its end."""
        self._watch(pool)
        look = self.store.fact("look")
        if look == "wanted" or self.store.fact("draw"):
            return False
        if not self._looked:
            self.objective.settle(look)
            self.lines.expect(look)
            self._looked = True
        if self.store.fact("objective", [None])[0] != self.objective.name:
            self.store.set_facts(objective=[self.objective.name, self.objective.mode])
        self._collect()
        self._propose()
        return self._exhausted and self._all_told() and self._tested()

    def _watch(self, pool: Workers, *, write: bool = True) -> None:
        self._dead += [*pool.deaths(), *pool.frozen(self.store.beats(), self.plan.lease_s)]
        while self._dead and write:
            self._take_over(self._dead[0])
            self._dead.pop(0)

    def _take_over(self, death: Death) -> None:
        """Have the trial of a dead worker continued by another one, unless it is the trial that kills."""
        if death.code == FULL_DISK:
            raise self._full_disk()
        trial = next((trial for trial in self.store.trials() if trial.owner == death.owner), None)
        if trial is None:
            if death.code:
                self._count_idle_death(death)
            return
        step = newest_step(trial_folder(self.plan.directory, trial.number) / "checkpoints")
        deaths = trial.deaths + 1 if step == trial.step else 1
        found: dict[str, Any] = {"state": "waiting", "owner": None, "deaths": deaths, "step": step}
        if deaths >= (_CRASHES if -death.code in _CRASH_SIGNALS else _DEATHS):
            words = death.last_words()
            error = f"Its worker died {deaths} times without progress; at last {death.reason}.\n{words}"
            found |= {"state": "failed", "error": error}
        self.store.update(trial.number, **found)

    def _count_idle_death(self, death: Death) -> None:
        self._idle_deaths += 1
        if self._idle_deaths >= _CRASHES and self.store.fact("look") == "wanted":
            self.store.set_facts(look={})  # the trials will say what is wrong
        if self._idle_deaths > _DEATHS:
            raise RuntimeError(f"Workers cannot be started: {death.reason}.\n{death.last_words()}")

    def _collect(self) -> None:
        """Tell the algorithm of trials that have ended; in a synchronous sweep by rounds, in order."""
        trials = self.store.trials()
        ended = [trial for trial in trials if trial.state in ENDED and not trial.told]
        if self.plan.synchronous and any(trial.state not in ENDED for trial in trials):
            return
        for trial in ended:
            state, score, error = self.objective.judged(trial)
            self.store.tell(trial.number, score, state, error)
            self.algorithm.tell(trial.number, self.objective.to_maximise(score))
            self._waits = False
        if ended:
            self._strip()
            for trial in self.store.trials():
                if trial.number in {one.number for one in ended}:
                    self.lines.trial(trial, self.store.trials(), self.objective)

    def _propose(self) -> None:
        if self._exhausted or self._waits:
            return
        while self._wanted():
            answer = self._answer = self._answer or self.algorithm.ask(self.plan.trials)
            if isinstance(answer, Proposal):
                arguments = self.plan.arguments(answer.values)
                if answer.epochs is not None:
                    arguments["epochs"] = answer.epochs
                self.store.create(answer.number, answer.values, arguments, self.plan.trials)
            else:
                self.store.add_event("asked", None, self.plan.trials)
                self._waits, self._exhausted = True, answer == "done"
            self._answer = None
            if self._waits:
                return

    def _wanted(self) -> bool:
        """Return whether another trial is to be proposed now."""
        trials = self.store.trials()
        still_open = sum(not trial.told for trial in trials)
        if not self.algorithm.order_matters:
            return still_open < 2 * self.lines.workers
        if not self.plan.synchronous:
            return still_open < self.lines.workers
        return still_open < ROUND and all(trial.state == "waiting" for trial in trials if not trial.told)

    def _all_told(self) -> bool:
        return all(trial.told for trial in self.store.trials())

    def _tested(self) -> bool:
        """Have the winners measured on test data, once, and return whether they are."""
        winners = self.plan.winners(self.store.trials())
        tested = self.store.fact("tested")
        if not winners or (tested is not None and tested["trials"] == winners):
            return True
        if self.store.fact("winners") is None:
            self.store.set_facts(winners=winners)
        return False

    def _strip(self) -> None:
        """Leave weights to the best trials alone, and to those that may go on."""
        trials = self.store.trials()
        kept = {trial.number for trial in self.objective.ranked(trials)[: self.plan.keep]}
        kept |= self.algorithm.may_continue()
        for trial in trials:
            if trial.told and not trial.stripped and trial.number not in kept:
                folder = trial_folder(self.plan.directory, trial.number)
                strip(folder)
                self.store.update(trial.number, stripped=1, bytes=folder_bytes(folder))

    def _settle(self) -> None:
        """Take in how trials ended while the workers were stopped."""
        self.store.release_all()
        self._collect()

    def _full_disk(self) -> InputError:
        return InputError(
            f"dir {self.plan.directory} is on a full disk; free some space and repeat the same line, which "
            "goes on from the last checkpoints."
        )


def replay(store: Store, algorithm: Algorithm, objective: Objective) -> None:
    """Bring a new algorithm to where the one of an interrupted sweep was."""
    look = store.fact("look")
    if isinstance(look, dict):
        objective.settle(look)
    searched = {trial.number: trial.searched for trial in store.trials()}
    for kind, number, content in store.events():
        if kind == "asked":
            algorithm.again(content, None if number is None else searched[number])
        elif number is not None:
            algorithm.tell(number, objective.to_maximise(content))

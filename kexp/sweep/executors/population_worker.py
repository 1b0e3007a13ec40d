"""A worker that takes the trials that wait together, and trains those that are alike as one program."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from kexp.core.signals import told_to_threads
from kexp.core.turns import Turns
from kexp.sweep.executors.local_worker import LocalWorker, main
from kexp.sweep.executors.vectorized import MOST_TOGETHER, populations
from kexp.sweep.folders import trial_folder
from kexp.sweep.metadata import ALONE
from kexp.sweep.state import Stopped, Trial, TrialOutcome

if TYPE_CHECKING:
    from kexp.engine.base import Engine, Population
    from kexp.run.training_setup import TrainingSetup

_SETTLED_S = 0.3  # without another trial proposed, until those that wait are taken
# New objects after which Python looks for garbage, in place of 700: the models of a population stay, and to
# go through all of them again and again took a sixth of the time of short trials.
_GARBAGE_AFTER = 50_000


class PopulationWorker(LocalWorker):
    """Runs populations, and does all else that a worker does."""

    def work(self) -> None:
        """Run trials and answer requests until this process is ended."""
        from kexp.engine.engine_choice import backend

        gc.set_threshold(_GARBAGE_AFTER)
        self._turns: Turns[object, int] = Turns(lambda questions: self._population.serve(questions))
        self._population: Population = backend().population(self._turns.wait)
        super().work()

    def run_next(self) -> bool:
        """Run the trials that wait, and return whether there were any."""
        waiting = self._waiting()
        if not waiting:
            return False
        # One whose worker died again and again is not to take others with it.
        share = 1 if waiting[0].deaths > 1 else min(MOST_TOGETHER, -(-len(waiting) // populations()))
        trials = [trial for _ in range(share) if (trial := self.store.claim(self.name)) is not None]
        if len(trials) == 1:
            self._note_alone({trials[0].number: "no other waited with it"})
            self.run(trials[0])
        elif trials:
            self._run_together(trials)
        return bool(trials)

    def _waiting(self) -> list[Trial]:
        """Return the trials that wait, once no more are being proposed."""
        found: list[Trial] = []
        while (now := [one for one in self.store.trials() if one.state == "waiting"]) != found:
            found = now
            time.sleep(_SETTLED_S)
        return found

    def _run_together(self, trials: Sequence[Trial]) -> None:
        """Run trials to their ends, each in a thread, and record each as it ends; a signal stops all."""
        import keras

        keras.utils.clear_session()
        for trial in trials:
            self.heartbeat.hold(trial)
        stopped: list[int] = []
        alone: dict[int, str] = {}

        def ended(number: int, outcome: TrialOutcome) -> None:
            self.end(trials[number], outcome)
            if isinstance(outcome, Stopped):
                stopped.append(number)

        with told_to_threads():
            self._turns.run([partial(self._run_beside, trial, alone) for trial in trials], ended)
        self._note_alone(alone | self._population.end())
        if stopped:
            os._exit(0)

    def _run_beside(self, trial: Trial, alone: dict[int, str]) -> TrialOutcome:
        """Run a trial in a thread of its own."""
        from kexp.run.context import watched_engine
        from kexp.run.likeness import likeness, unlike_any

        def join(setup: TrainingSetup, engine: Engine) -> None:
            reason = unlike_any(setup) or self._population.unable(engine)
            if reason is None:
                self._population.join(trial.number, engine, setup.data.train, partial(likeness, setup))
            else:
                alone[trial.number] = reason

        folder = trial_folder(self.directory, trial.number)
        held = self.description.held(trial.number)
        with watched_engine(join):
            return self.runner.run_with_others(trial.arguments, folder, held)

    def _note_alone(self, reasons: dict[int, str]) -> None:
        """Record which trials took their steps by themselves, for the end of the sweep to say."""
        if not reasons:
            return

        def noted(known: dict[str, list[int]] | None) -> dict[str, list[int]]:
            found = {reason: set(numbers) for reason, numbers in (known or {}).items()}
            for number, reason in reasons.items():
                found.setdefault(reason, set()).add(number)
            return {reason: sorted(numbers) for reason, numbers in found.items()}

        self.store.update_entry(ALONE, noted)


if __name__ == "__main__":
    main(PopulationWorker)

"""An executor that runs trials in the process of the test, which is spared the start of workers."""

from contextlib import contextmanager

from kexp.sweep.folders import data_folder, trial_folder
from kexp.sweep.metadata import DESCRIPTION, DIMENSIONS, DRAW, DRAWN, EVALUATION, PROBE, WINNERS
from kexp.sweep.search.fixed_list import draw
from kexp.sweep.state import Evaluation, Requested
from kexp.sweep.store import Store
from kexp.sweep.trial_runner import TrialRunner


class InProcessExecutor:
    """Does at once what the record asks for."""

    def __init__(self, recipe, directory):
        self._directory = directory
        self._runner = TrialRunner(recipe, data_folder(directory))
        self._store = Store(directory)
        self._description = self._store.require(DESCRIPTION)

    def schedule(self):
        store, description = self._store, self._description
        if (request := store.read(DRAW)) is not None:
            dimensions = store.require(DIMENSIONS)
            values = draw(description.algorithm, dimensions, description.seed, request.trials)
            store.write(DRAWN.written(values), DRAW.written(None))
        if store.read(PROBE) is Requested.REQUESTED:
            found = self._runner.probe(description.arguments, description.objective, description.held(0))
            store.write(PROBE.written(found))
        while (trial := store.claim("test")) is not None:
            folder = trial_folder(self._directory, trial.number)
            outcome = self._runner.run_trial(trial.arguments, folder, description.held(trial.number))
            store.end(trial.number, trial.token, outcome, seconds=1.0)
        if winners := store.read(WINNERS):
            runs = [trial for trial in store.trials() if trial.number in winners]
            folders = [(run.arguments, trial_folder(self._directory, run.number)) for run in runs]
            evaluation = Evaluation(winners, self._runner.evaluate(folders))
            store.write(EVALUATION.written(evaluation), WINNERS.written(None))

    def poll(self):
        return ()

    def reap_stalled(self, heartbeats, lease_s):
        return ()

    def stop(self):
        """Nothing is under way between two calls."""

    def close(self):
        self._store.close()


def in_process(monkeypatch, recipe):
    """Have sweeps of a recipe run in this process."""

    @contextmanager
    def executor(choice, directory, threads):
        made = InProcessExecutor(recipe, directory)
        yield made
        made.close()

    monkeypatch.setattr("kexp.sweep.executors.executor_choice.ExecutorChoice.executor", executor)

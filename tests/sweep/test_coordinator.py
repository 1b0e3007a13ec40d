"""What the coordinator does with the record, apart from what trials take."""

import time

import pytest

from kexp.sweep.algorithms import Listed
from kexp.sweep.budget import Budget
from kexp.sweep.coordinator import Coordinator, Plan
from kexp.sweep.lines import Lines
from kexp.sweep.objective import Objective
from kexp.sweep.store import Store

TRIALS = 500


class InNoTime:
    """Workers that have a result as soon as a trial waits."""

    def __init__(self, store):
        self.store = store

    def deaths(self):
        while (trial := self.store.claim("worker")) is not None:
            self.store.extend(trial.number, trial.token, 0.1)
            figures = {"loss": 0.1, "val_accuracy": trial.arguments["dropout"]}
            self.store.complete(trial.number, trial.token, figures, seconds=0.1)
        return ()

    def frozen(self, beats, lease_s):
        return ()


@pytest.mark.slow
def test_the_record_of_500_trials_costs_less_than_50_ms_for_each(tmp_path, monkeypatch):
    spent_s = 0.0

    def timed(method):
        def call(self, *args, **kwargs):
            nonlocal spent_s
            began_s = time.perf_counter()
            try:
                return method(self, *args, **kwargs)
            finally:
                spent_s += time.perf_counter() - began_s

        return call

    for name in (
        "claim",
        "extend",
        "complete",
        "tell",
        "create",
        "update",
        "trials",
        "fact",
        "set_facts",
        "beats",
    ):
        monkeypatch.setattr(Store, name, timed(getattr(Store, name)))
    store = Store(tmp_path, create=True)
    store.set_facts(look={"monitor": "val_accuracy", "mode": "max", "directions": {"accuracy": "max"}})
    values = [{"units": 64, "dropout": trial / TRIALS, "learning_rate": 0.01} for trial in range(TRIALS)]
    plan = Plan(tmp_path, dict, lambda trials: [], TRIALS, 3, 30.0, False)
    lines, objective = Lines(TRIALS, 2, 3, quiet=True), Objective(None)
    algorithm = Listed(lambda trials: values)
    Coordinator(plan, store, algorithm, objective, Budget(None, tmp_path, store), lines).run(InNoTime(store))
    found = store.trials()
    store.close()
    assert [trial.score for trial in found] == [one["dropout"] for one in values]
    assert all(trial.told for trial in found)
    assert spent_s / TRIALS < 0.050

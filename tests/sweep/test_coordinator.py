"""What the coordinator does with the record, apart from what trials take."""

import time

import pytest

from kexp.sweep.budget import Budget
from kexp.sweep.coordinator import Coordinator, Plan
from kexp.sweep.metadata import EVALUATION, PROBE
from kexp.sweep.search.fixed_list import FixedList
from kexp.sweep.state import Completed, Evaluation, ProbeResult
from kexp.sweep.store import Store
from kexp.sweep.target_metric import TargetMetric
from kexp.sweep.terminal_progress import SweepProgress

TRIALS = 500
PROBE_RESULT = ProbeResult({"val_accuracy": "max", "accuracy": "max"}, monitor="val_accuracy")


class InNoTime:
    """Workers that have a result as soon as a trial waits."""

    def __init__(self, store):
        self.store = store

    def schedule(self):
        while (trial := self.store.claim("worker")) is not None:
            self.store.extend_lease(trial.number, trial.token, 0.1)
            metrics = {"loss": 0.1, "val_accuracy": trial.arguments["dropout"]}
            self.store.end(trial.number, trial.token, Completed(metrics), seconds=0.1)

    def poll(self):
        return ()

    def reap_stalled(self, heartbeats, lease_s):
        return ()


def coordinator(plan, store, values):
    progress, target = SweepProgress(plan.trials, 2, plan.keep, quiet=True), TargetMetric(None)
    algorithm = FixedList(lambda trials: values)
    return Coordinator(plan, store, algorithm, target, Budget(None, plan.directory, store), progress)


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
        "extend_lease",
        "end",
        "mark_reported",
        "create",
        "update",
        "trials",
        "read",
        "write",
        "heartbeats",
    ):
        monkeypatch.setattr(Store, name, timed(getattr(Store, name)))
    store = Store(tmp_path, create=True)
    store.write(PROBE.written(PROBE_RESULT))
    values = [{"units": 64, "dropout": trial / TRIALS, "learning_rate": 0.01} for trial in range(TRIALS)]
    plan = Plan(tmp_path, dict, lambda trials: [], TRIALS, 3, 30.0, False)
    coordinator(plan, store, values).run(InNoTime(store))
    found = store.trials()
    store.close()
    assert [trial.score for trial in found] == [one["dropout"] for one in values]
    assert all(trial.reported for trial in found)
    assert spent_s / TRIALS < 0.050


def test_a_winner_that_cannot_be_measured_ends_the_sweep_and_the_same_line_tries_again(tmp_path):
    store = Store(tmp_path, create=True)
    store.write(PROBE.written(PROBE_RESULT), EVALUATION.written(Evaluation([0], [], "no test data")))
    plan = Plan(tmp_path, dict, lambda trials: [0], 1, 1, 30.0, False)
    with pytest.raises(RuntimeError, match="The winner could not be measured on test data: no test data"):
        coordinator(plan, store, [{"dropout": 0.5}]).run(InNoTime(store))
    assert store.read(EVALUATION) is None
    store.close()

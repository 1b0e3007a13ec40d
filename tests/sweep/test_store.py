"""Every write of a worker carries its lease, and an old lease changes nothing."""

import sqlite3
import threading

import pytest

from kexp.core.search import TrialState
from kexp.sweep.state import Completed, Event, EventKind, Failed, Pruned, Stopped
from kexp.sweep.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path, create=True)
    yield store
    store.close()


def test_trials_are_leased_in_order_and_once(store, tmp_path):
    for number in range(20):
        store.create(number, {"x": number}, {"x": number}, 20)
    claimed = []

    def claim():
        mine = Store(tmp_path)
        while (trial := mine.claim("worker")) is not None:
            claimed.append(trial.number)
        mine.close()

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == list(range(20))


def test_a_worker_that_wakes_up_late_cannot_write(store):
    store.create(0, {}, {}, 1)
    late = store.claim("late")
    store.update(0, state="waiting", owner=None)  # taken for dead
    current = store.claim("current")
    assert current.token == late.token + 1
    assert not store.extend_lease(0, late.token, 1.0)
    assert not store.end(0, late.token, Completed({"loss": 1.0}))
    assert not store.end(0, late.token, Failed("late"))
    assert not store.end(0, late.token, Stopped())
    assert not store.add_epoch_metric(0, late.token, 1, 0.5)
    assert store.trials()[0] == current
    assert store.end(0, current.token, Completed({"loss": 2.0}))
    assert not store.end(0, current.token, Completed({"loss": 3.0}))  # once is enough
    assert store.trials()[0].metrics == {"loss": 2.0}


def test_a_trial_whose_folder_takes_many_gigabytes_is_read(store):
    store.create(0, {}, {}, 1)
    store.end(0, store.claim("worker").token, Completed({"loss": 1.0}), bytes=5 * 10**9)
    assert store.trials()[0].bytes == 5 * 10**9


def test_a_change_and_its_event_come_together_or_not_at_all(store):
    store.create(0, {}, {}, 5)

    def half_a_change():
        with store.transaction() as connection:
            connection.execute("UPDATE trials SET state = 'failed'")
            connection.execute("DELETE FROM nowhere")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        half_a_change()
    assert store.trials()[0].state == "waiting"
    store.mark_reported(0, 0.5, TrialState.COMPLETED, None)
    assert store.events() == [Event(EventKind.ASKED, 0, 5), Event(EventKind.REPORTED, 0, 0.5)]


def test_the_metrics_of_an_epoch_are_those_of_completed_trials_alone(store):
    for number in range(2):
        store.create(number, {}, {}, 2)
        trial = store.claim("worker")
        assert store.add_epoch_metric(number, trial.token, 1, 0.1 * number)
    store.end(1, 1, Completed({}))
    assert store.epoch_metrics(1) == [0.1]


@pytest.mark.parametrize(
    ("outcome", "state", "metrics", "error"),
    [
        (Completed({"loss": 0.5}), "completed", {"loss": 0.5}, None),
        (Failed("a traceback"), "failed", {}, "a traceback"),
        (Pruned("it was behind", {"loss": 2.0}), "pruned", {"loss": 2.0}, "it was behind"),
        (Stopped(), "waiting", {}, None),
    ],
)
def test_how_a_run_ended_is_recorded_with_its_state(outcome, state, metrics, error, store):
    store.create(0, {}, {}, 1)
    trial = store.claim("worker")
    assert store.end(0, trial.token, outcome, seconds=1.5)
    found = store.trials()[0]
    assert (found.state, found.metrics, found.error) == (state, metrics, error)
    assert (found.owner, found.seconds) == (None, 1.5)

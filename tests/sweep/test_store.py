"""Every write of a worker carries its lease, and an old lease changes nothing."""

import sqlite3
import threading

import pytest

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
    assert not store.extend(0, late.token, 1.0)
    assert not store.complete(0, late.token, {"loss": 1.0})
    assert not store.fail(0, late.token, "late")
    assert not store.release(0, late.token)
    assert not store.report(0, late.token, 1, 0.5)
    assert store.trials()[0] == current
    assert store.complete(0, current.token, {"loss": 2.0})
    assert not store.complete(0, current.token, {"loss": 3.0})  # once is enough
    assert store.trials()[0].metrics == {"loss": 2.0}


def test_a_change_and_its_event_come_together_or_not_at_all(store):
    store.create(0, {}, {}, 5)

    def half_a_change():
        with store.transaction() as connection:
            connection.execute("UPDATE trials SET state = 'failed'")
            connection.execute("DELETE FROM nowhere")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        half_a_change()
    assert store.trials()[0].state == "waiting"
    store.tell(0, 0.5, "completed", None)
    assert store.events() == [("asked", 0, 5), ("told", 0, 0.5)]


def test_reports_are_of_completed_trials_alone(store):
    for number in range(2):
        store.create(number, {}, {}, 2)
        trial = store.claim("worker")
        assert store.report(number, trial.token, 1, 0.1 * number)
    store.complete(1, 1, {})
    assert store.reports(1) == [0.1]

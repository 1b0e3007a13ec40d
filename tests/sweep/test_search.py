"""Whole sweeps without workers: whose objective counts, and records that earlier versions wrote."""

import json
import sqlite3

import pytest

import kexp
from kexp.core.errors import InputError
from kexp.sweep.search.oracles import keras_tuner
from kexp.sweep.store import Store
from kexp.sweep.sweep import sweep
from kexp.sweep.target_metric import TargetMetric
from kexp.sweep.trial_runner import TrialRunner
from tests.sweep.in_process import in_process
from tests.sweep.measured_recipe import measured
from tests.sweep.planted_recipes import planted

LINE = {"trials": 2, "keep": 1, "quiet": True, "epochs": 1, "fault": "none"}


@pytest.fixture(autouse=True)
def no_workers(monkeypatch):
    in_process(monkeypatch, planted)


def oracle_for(name, direction):
    objective = keras_tuner().Objective(name, direction)
    return keras_tuner().oracles.RandomSearchOracle(objective=objective, max_trials=2, seed=1)


def set_fact(directory, name, content):
    with sqlite3.connect(directory / "sweep.sqlite") as connection:
        connection.execute("REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(content)))


def test_an_oracle_with_an_objective_of_its_own_keeps_it(tmp_path, monkeypatch):
    in_process(monkeypatch, measured)
    given = {**LINE, "dir": tmp_path / "sweep", "space": {"units": (4, 64)}}
    found = sweep(measured, **given, oracle=oracle_for("val_my_error", "min"))
    assert (found.objective, found.mode) == ("val_my_error", "min")
    assert found.best.metrics["val_my_error"] == found.to_frame()["val_my_error"].min()
    again = sweep(measured, **given, oracle=oracle_for("val_my_error", "min"))
    assert again.trials == found.trials


def test_an_objective_that_contradicts_the_oracles_is_refused(tmp_path):
    for objective in ("loss", "+val_loss"):
        with pytest.raises(
            InputError, match="objective must be what the oracle is made for, the min of val_loss"
        ):
            sweep(
                planted, **LINE, dir=tmp_path / "a", oracle=oracle_for("val_loss", "min"), objective=objective
            )
    several = [keras_tuner().Objective(name, "min") for name in ("loss", "val_loss")]
    oracle = keras_tuner().oracles.RandomSearchOracle(objective=several, max_trials=2)
    with pytest.raises(InputError, match="oracle must have one objective; received loss, val_loss"):
        sweep(planted, **LINE, dir=tmp_path / "b", oracle=oracle)


def test_the_direction_of_an_objective_is_said_by_its_sign_or_asked_for(tmp_path, monkeypatch):
    in_process(monkeypatch, measured)
    given = {**LINE, "trials": 2, "space": {"units": (4, 64)}}
    with pytest.raises(InputError, match=r"of val_my_error is better is not known; give '\+val_my_error'"):
        sweep(measured, **given, dir=tmp_path / "a", objective="val_my_error")
    found = sweep(measured, **given, dir=tmp_path / "b", objective="-val_my_error")
    assert (found.objective, found.mode) == ("val_my_error", "min")
    assert found.best.metrics["val_my_error"] == found.to_frame()["val_my_error"].min()


def test_a_monitor_is_the_objective_and_an_exact_metric_can_be():
    target = TargetMetric(None)
    target.settle(TrialRunner(measured).probe({"monitor": "-val_my_error"}, None))
    assert (target.name, target.mode) == ("val_my_error", "min")
    pruned = TargetMetric("val_log_loss", after_epochs=True)
    with pytest.raises(
        InputError, match=r"prune compares trials after each epoch.*monitor='val_log_loss' too"
    ):
        pruned.settle(TrialRunner(measured).probe({}, "val_log_loss"))
    pruned.settle(TrialRunner(measured).probe({"monitor": "val_log_loss"}, "val_log_loss"))
    target = TargetMetric("val_log_loss")
    target.settle(TrialRunner(measured).probe({}, "val_log_loss"))
    assert (target.name, target.mode) == ("val_log_loss", "min")


def test_the_record_of_an_earlier_version_is_read_and_goes_on(tmp_path):
    directory = tmp_path / "sweep"
    sweep(planted, **{**LINE, "trials": 1}, dir=directory)
    look = {"monitor": "val_accuracy", "mode": "max", "directions": {"accuracy": "max"}}
    set_fact(directory, "look", {**look, "seconds": 3.3, "bytes": 2_000_000})
    set_fact(directory, "draw", {"trials": 1, "slot": 0})  # as one that was killed leaves it
    set_fact(directory, "tested", {"trials": [0], "metrics": [{"test_accuracy": 0.5}]})
    assert [trial.state for trial in kexp.load_sweep(directory).trials] == ["completed"]
    found = sweep(planted, **LINE, dir=directory)
    assert [trial.state for trial in found.trials] == ["completed"] * 2
    assert len(Store(directory).events()) == 6  # asked and told of two, and twice that there are no more
    assert found.report().is_file()


def test_a_sweep_that_was_begun_without_its_oracles_objective_goes_on_without_it(tmp_path):
    directory = tmp_path / "sweep"
    oracle = oracle_for("val_loss", "min")
    without = keras_tuner().oracles.RandomSearchOracle(max_trials=2, seed=1)
    sweep(planted, **{**LINE, "trials": 1}, dir=directory, oracle=without, objective="val_accuracy")
    with sqlite3.connect(directory / "sweep.sqlite") as connection:
        (text,) = connection.execute("SELECT content FROM facts WHERE name = 'sweep'").fetchone()
    set_fact(directory, "sweep", {**json.loads(text), "objective": None})
    found = sweep(planted, **LINE, dir=directory, oracle=oracle)
    assert found.objective == "val_accuracy"
    assert len(found.trials) == 2

"""Whole sweeps in real processes: killed, frozen, resumed, extended, with the table of the one left alone."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.sweep.state import EventKind
from kexp.sweep.store import Store
from kexp.sweep.sweep import sweep
from kexp.sweep.sweep_result import load_sweep
from tests.forked_python import forked
from tests.sweep.planted_recipes import planted
from tests.sweep.planted_sweeps import start, until

LINE = {"trials": 3, "keep": 2, "fault": "none", "checkpoint_every": "5 steps", "quiet": True, "epochs": 5}


def running(directory):
    """Return the rows of trials that a worker holds, as soon as there is a record."""
    try:
        store = Store(directory)
        found = [trial for trial in store.trials() if trial.state == "running"]
        store.close()
    except Exception:  # the file is being made
        return []
    return found


def processes(directory):
    found = []
    for process in psutil.process_iter():
        try:
            if str(directory) in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def table(directory):
    return load_sweep(directory).to_frame().drop(columns=["seconds", "error"]).to_json()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return the folder of a sweep by one worker that nothing happened to."""
    directory = tmp_path_factory.mktemp("sweeps") / "alone"
    sweep(planted, **LINE, dir=directory)
    return directory


def test_a_sweep_is_a_table_of_run_folders(alone):
    found = load_sweep(alone)
    frame = found.to_frame()
    assert list(frame["trial"]) == [0, 1, 2]
    assert set(frame["state"]) == {"completed"}
    assert {"units", "dropout", "learning_rate", "batch_size", "val_accuracy", "seconds"} <= set(
        frame.columns
    )
    best = frame.sort_values(["val_accuracy", "trial"], ascending=[False, True]).iloc[0]
    assert found.best.run_dir == found.run_dir(int(best["trial"]))
    assert found.best.metrics["val_accuracy"] == best["val_accuracy"]
    assert found.objective == "val_accuracy"


def test_only_the_best_hold_weights_and_only_the_winner_has_seen_test_data(alone):
    found = load_sweep(alone)
    folders = sorted((alone / "trials").iterdir())
    assert len([folder for folder in folders if (folder / "model.keras").exists()]) == 2
    for folder in folders:
        kept = {path.name for path in folder.iterdir()}
        assert {"config.json", "env.json", "metrics.jsonl", "result.json", "curves.png"} <= kept
        metrics = json.loads((folder / "result.json").read_text())["metrics"]
        assert ("test_accuracy" in metrics) == (folder == found.best.run_dir)
    assert len(found.best.predict(kexp.data.load("iris").test.inputs).labels) == 30


def test_a_trial_is_what_the_recipes_own_call_gives(alone, tmp_path):
    trial = load_sweep(alone).trials[0]
    result = planted(**trial.arguments, run_dir=str(tmp_path / "run"), quiet=True)
    assert {name: result.metrics[name] for name in trial.metrics} == trial.metrics


@pytest.mark.slow
def test_killed_workers_and_coordinators_change_nothing_in_the_table(alone, tmp_path):
    directory = tmp_path / "killed"
    process = start(directory, {**LINE, "workers": 2}, stdout=forked.DEVNULL, stderr=forked.PIPE)
    until(lambda: running(directory))
    os.kill(
        next(p.pid for p in processes(directory) if running(directory)[0].owner in p.cmdline()),
        signal.SIGKILL,
    )
    until(lambda: any(trial.token > 1 for trial in running(directory)))
    process.kill()
    process.communicate()
    until(lambda: not processes(directory), 10)
    found = sweep(planted, **{**LINE, "trials": 2}, workers=2, dir=directory)  # the first few are enough
    assert [trial.state for trial in found.trials[:2]] == ["completed"] * 2
    sweep(planted, **LINE, workers=2, dir=directory)  # and now the others
    assert table(directory) == table(alone)
    assert not processes(directory)
    assert sum(event.kind is EventKind.REPORTED for event in Store(directory).events()) == 3


def test_the_same_line_again_returns_what_is_recorded_and_another_is_refused(alone):
    with pytest.raises(InputError, match=r"dropout was 0 to 0\.5 and is now 0 to 0\.1"):
        sweep(planted, **LINE, dropout=(0.0, 0.1), dir=alone)
    with pytest.raises(InputError, match="objective was not there and is now val_loss"):
        sweep(planted, **LINE, objective="val_loss", dir=alone)
    with pytest.raises(InputError, match="seed was 0 and is now 1"):
        sweep(planted, **LINE, seed=1, dir=alone)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trials": 0}, "trials must be a whole number, 1 or more"),
        ({"algorithm": "randm"}, r"algorithm must be one of .* .did you mean 'random'"),
        ({"budget": "2 parsecs"}, "budget must be an amount such as '2h' or '20GB'"),
        ({"space": {"units": 8}, "units": 4}, "units must be given once"),
        ({"algorithm": "hyperband", "space": {"epochs": [1, 2]}}, "epochs cannot be searched by hyperband"),
        ({"unts": 8}, "has no argument unts .did you mean 'units'"),
        ({"dir": __file__}, "dir must be a folder"),
        ({"dir": Path(__file__).parent}, "holds files that are not a sweep"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_starts(options, words, tmp_path):
    with pytest.raises(InputError, match=words):
        sweep(planted, **{"dir": tmp_path / "new", **options})
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_what_ends_a_worker_ends_its_trial_and_never_the_sweep(tmp_path):
    faults = ["none", "segfault", "raise", "nan"]
    fixed = {"units": 8, "dropout": 0.0, "batch_size": 16, "learning_rate": 0.01}
    line = {**LINE, **fixed, "fault": faults, "trials": len(faults)}
    found = sweep(planted, **line, algorithm="grid", workers=2, dir=tmp_path / "faults")
    frame = found.to_frame().set_index("fault")
    assert frame["state"].to_dict() == dict(
        zip(faults, ["completed", "failed", "failed", "failed"], strict=True)
    )
    assert "died 3 times without progress; at last it was ended by SIGSEGV" in frame["error"]["segfault"]
    assert "Segmentation fault" in frame["error"]["segfault"]
    assert "ArithmeticError: planted" in frame["error"]["raise"]
    assert "TrainingDiverged" in frame["error"]["nan"]


@pytest.mark.slow
def test_a_frozen_worker_is_taken_for_dead_and_its_trial_continued(alone, tmp_path):
    directory = tmp_path / "frozen"
    process = start(
        directory, {**LINE, "workers": 1, "lease_s": 5}, stdout=forked.DEVNULL, stderr=forked.PIPE
    )
    until(lambda: running(directory))
    frozen = next(p for p in processes(directory) if running(directory)[0].owner in p.cmdline())
    frozen.send_signal(signal.SIGSTOP)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert table(directory) == table(alone)
    assert not processes(directory)


@pytest.mark.slow
def test_a_worker_that_froze_as_it_started_does_not_outlive_the_same_line_again(tmp_path):
    directory = tmp_path / "left"
    process = start(directory, LINE, stdout=forked.DEVNULL, stderr=forked.PIPE)
    until(lambda: any("kexp.sweep.executors.local_worker" in one.cmdline() for one in processes(directory)))
    worker = next(one for one in processes(directory) if "kexp.sweep.executors.local_worker" in one.cmdline())
    worker.suspend()  # before it has asked to be killed with its coordinator
    process.kill()
    process.communicate()
    assert worker.is_running()
    found = sweep(planted, **{**LINE, "trials": 1}, dir=directory)
    assert [trial.state for trial in found.trials] == ["completed"]
    assert not processes(directory)


@pytest.mark.slow
def test_an_interrupted_sweep_saves_its_trials_and_leaves_no_process(alone, tmp_path):
    directory = tmp_path / "interrupted"
    process = start(directory, {**LINE, "workers": 2}, stdout=forked.DEVNULL, stderr=forked.PIPE)
    until(lambda: running(directory))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=90)
    assert process.returncode != 0
    assert not processes(directory)
    assert {trial.state for trial in load_sweep(directory).trials} <= {"waiting", "completed"}
    sweep(planted, **LINE, workers=2, dir=directory)
    assert table(directory) == table(alone)


@pytest.mark.slow
def test_two_coordinators_are_refused(tmp_path):
    directory = tmp_path / "twice"
    process = start(directory, LINE, stdout=forked.DEVNULL, stderr=forked.PIPE)
    until(lambda: running(directory))
    with pytest.raises(InputError, match="is being swept by another process"):
        sweep(planted, **LINE, dir=directory)
    process.kill()
    process.communicate()
    until(lambda: not processes(directory), 10)


@pytest.mark.slow
def test_hyperband_goes_on_with_a_trials_own_run(tmp_path):
    line = {**LINE, "epochs": 3, "trials": 3}
    directory = tmp_path / "hyperband"
    found = sweep(planted, **line, algorithm="hyperband", synchronous=True, workers=2, dir=directory)
    asked = [
        event
        for event in Store(directory).events()
        if event.kind is EventKind.ASKED and event.trial is not None
    ]
    assert len(asked) == 3 + 1
    longest = {trial.number: trial.arguments["epochs"] for trial in found.trials}
    assert sorted(longest.values()) == [1, 1, 3]
    for number, epochs in longest.items():
        lines = (found.run_dir(number) / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == list(range(1, epochs + 1))
    again = sweep(planted, **line, algorithm="hyperband", synchronous=True, dir=tmp_path / "one worker")
    assert table(again.dir) == table(directory)


@pytest.mark.slow
def test_pruning_stops_what_is_behind_and_the_budget_stops_all(tmp_path):
    line = {
        **LINE,
        "trials": 7,
        "epochs": 60,
        "learning_rate": [1e-6, 1e-2],
        "checkpoint_every": "60 minutes",
    }
    found = sweep(planted, **line, prune="median", dir=tmp_path / "pruned")
    states = [trial.state for trial in found.trials]
    assert "pruned" in states
    assert set(states) == {"pruned", "completed"}
    short = sweep(planted, **{**LINE, "trials": 100, "budget": "3s"}, dir=tmp_path / "budget")
    assert {trial.state for trial in short.trials} <= {"waiting", "completed"}
    assert sum(trial.state == "completed" for trial in short.trials) < 100
    assert not processes(tmp_path)

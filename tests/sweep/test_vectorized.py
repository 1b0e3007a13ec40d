"""Sweeps whose trials are trained together: as each alone, killed, resumed, grouped and refused."""

import json
import signal

import numpy as np
import psutil
import pytest

from kexp.core.errors import InputError
from kexp.run.metrics_file import read_epochs
from kexp.run.record import RunRecord
from kexp.sweep.metadata import ALONE
from kexp.sweep.store import Store
from kexp.sweep.sweep import sweep
from kexp.sweep.sweep_result import load_sweep
from tests.forked_python import forked
from tests.sweep.planted_recipes import planted
from tests.sweep.planted_sweeps import start, until

LINE = {
    "trials": 4,
    "keep": 4,
    "units": 16,
    "batch_size": 16,
    "epochs": 10,
    "early_stop": 1,
    "quiet": True,
    "checkpoint_every": "5 steps",
    "optimizer": "adamw",
    "fault": "none",
    "space": {
        "learning_rate": [1e-4, 3e-3, 1e-2],
        "dropout": [0.1, 0.3, 0.45],
        "label_smoothing": [0.05, 0.1, 0.2],
        "weight_decay": [0.01, 0.1],
        "momentum": [0.8, 0.9],
        "seed": [3, 4, 5],
    },
}


def workers(directory):
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if "kexp.sweep.executors.population_worker" in line and str(directory) in line:
                found.append(process)
        except psutil.Error:
            continue
    return found


def saved(directory):
    """Return the run folders that hold a checkpoint of a run that has not ended."""
    return [
        folder
        for folder in directory.glob("trials/*")
        if list(folder.glob("checkpoints/step-*")) and not (folder / "result.json").exists()
    ]


def table(directory):
    return load_sweep(directory).to_frame().drop(columns=["seconds", "error"])


def alone_by_reason(directory):
    store = Store(directory)
    found = store.read(ALONE)
    store.close()
    return found


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Return the folder of a sweep whose trials were trained together, and that nothing happened to."""
    directory = tmp_path_factory.mktemp("sweeps") / "together"
    sweep(planted, **LINE, workers="vectorized", dir=directory)
    return directory


def test_each_trial_ends_as_the_recipes_own_call_does(together, tmp_path):
    found = load_sweep(together)
    assert [trial.state for trial in found.trials] == ["completed"] * 4
    assert alone_by_reason(together) is None
    lengths = set()
    for trial in found.trials:
        folder, alone = found.run_dir(trial.number), tmp_path / str(trial.number)
        result = planted(**trial.arguments, jit="off", run_dir=str(alone), quiet=True)
        assert {name: result.metrics[name] for name in trial.metrics} == pytest.approx(
            trial.metrics, abs=1e-6
        )
        epochs, others = read_epochs(folder), read_epochs(alone)
        lengths.add(len(epochs))
        assert len(epochs) == len(others)
        for epoch, other in zip(epochs, others, strict=True):
            assert epoch == pytest.approx(other, abs=1e-6)
        weights = RunRecord.load(folder).model.get_weights()
        for weight, other in zip(weights, result.model.get_weights(), strict=True):
            assert np.abs(weight - other).max() < 1e-6
    assert len(lengths) > 1, "all trials stop after the same epoch, so that none goes on without another"


def test_trials_are_run_folders_like_those_of_any_sweep(together):
    for folder in sorted((together / "trials").iterdir()):
        kept = {path.name for path in folder.iterdir()}
        assert {
            "config.json",
            "env.json",
            "metrics.jsonl",
            "result.json",
            "curves.png",
            "model.keras",
        } <= kept
    found = load_sweep(together)
    winner = found.best.run_dir
    for number in range(4):
        metrics = json.loads((found.run_dir(number) / "result.json").read_text())["metrics"]
        assert ("test_accuracy" in metrics) == (found.run_dir(number) == winner)


@pytest.mark.slow
def test_killed_workers_and_coordinators_change_nothing_in_the_table(together, tmp_path):
    directory = tmp_path / "killed"
    process = start(directory, {**LINE, "workers": "vectorized"}, stdout=forked.PIPE, stderr=forked.STDOUT)
    until(lambda: saved(directory))
    for worker in workers(directory):
        worker.kill()
    until(lambda: len(saved(directory)) > 1 and any(trial.token > 1 for trial in trials(directory)))
    process.kill()
    process.communicate()
    until(lambda: not workers(directory), 10)
    assert any(trial.state != "completed" for trial in trials(directory))
    sweep(planted, **LINE, workers="vectorized", dir=directory)
    compare(table(directory), table(together))
    assert not workers(directory)
    for folder in (directory / "trials").iterdir():  # no epoch twice
        numbers = [epoch["epoch"] for epoch in read_epochs(folder)]
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.slow
def test_an_interrupted_sweep_saves_all_that_are_trained_together(together, tmp_path):
    directory = tmp_path / "interrupted"
    process = start(directory, {**LINE, "workers": "vectorized"}, stdout=forked.PIPE, stderr=forked.STDOUT)
    until(lambda: saved(directory))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=90)
    assert process.returncode != 0
    assert not workers(directory)
    assert {trial.state for trial in load_sweep(directory).trials} <= {"waiting", "completed"}
    sweep(planted, **LINE, workers="vectorized", dir=directory)
    compare(table(directory), table(together))


def trials(directory):
    store = Store(directory)
    found = store.trials()
    store.close()
    return found


def compare(frame, other):
    assert list(frame.columns) == list(other.columns)
    for name in frame.columns:
        if frame[name].dtype.kind == "f":
            np.testing.assert_allclose(frame[name], other[name], atol=1e-6)
        else:
            assert list(frame[name]) == list(other[name])


@pytest.mark.slow
def test_those_that_are_like_no_other_or_cannot_be_together_are_trained_and_said(tmp_path):
    directory = tmp_path / "grouped"
    line = {**LINE, "quiet": False, "trials": 8, "epochs": 2, "keep": 1, "algorithm": "grid"}
    fixed = {"learning_rate": 0.01, "dropout": 0.2}
    line["space"] = {"units": [8, 16], "seed": [1, 2], "accumulate": [1, 2], **fixed}
    del line["units"]
    process = start(directory, {**line, "workers": "vectorized"}, stdout=forked.PIPE, stderr=forked.STDOUT)
    said = process.communicate(timeout=300)[0].decode()
    assert process.returncode == 0, said
    found = load_sweep(directory)
    assert [trial.state for trial in found.trials] == ["completed"] * 8
    apart = [trial.number for trial in found.trials if trial.arguments["accumulate"] == 2]
    words = f"trained one after the other: trials {', '.join(map(str, apart))}, since its steps are made of "
    assert words + "several batches." in said
    assert set().union(*alone_by_reason(directory).values()) == set(apart)


@pytest.mark.slow
def test_a_trial_that_fails_ends_none_of_those_beside_it(tmp_path):
    line = {**LINE, "epochs": 2, "trials": 6, "keep": 1, "algorithm": "grid", "units": 8}
    line["space"] = {"fault": ["none", "raise", "nan"], "seed": [1, 2], "dropout": 0.2}
    del line["fault"]
    found = sweep(planted, **line, workers="vectorized", dir=tmp_path / "faults")
    for trial in found.trials:
        state = "completed" if trial.searched["fault"] == "none" else "failed"
        assert trial.state == state
        if trial.searched["fault"] == "nan":
            assert "TrainingDiverged" in trial.error
            assert "step 1 " in trial.error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": "vectorised"}, "workers must be .*'vectorized'.*received 'vectorised'"),
        ({"workers": "vectorized", "prune": "median"}, "prune cannot be used with workers='vectorized'"),
        ({"workers": "vectorized", "cluster": "auto"}, "workers='vectorized' is for one machine"),
    ],
)
def test_what_does_not_go_with_it_is_refused_before_anything_starts(options, words, tmp_path):
    with pytest.raises(InputError, match=words):
        sweep(planted, **options, dir=tmp_path / "new")
    assert not (tmp_path / "new").exists()

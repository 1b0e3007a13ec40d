"""Sweeps on a real Ray cluster of three nodes: one is killed, a trial crashes, the driver is stopped."""

import errno
import os
import signal
import threading
import time
from types import SimpleNamespace

import psutil
import pytest

from kexp.core.errors import InputError
from kexp.core.signals import Stopped as StoppedBySignal
from kexp.sweep.executors import ray_task
from kexp.sweep.executors.ray import RayExecutor, checked_resources, ending_of
from kexp.sweep.executors.ray_task import RunTrial, TaskSpec, run
from kexp.sweep.state import Completed, EventKind, Failed, FullDisk, Lost, Stopped
from kexp.sweep.store import Store
from kexp.sweep.sweep import sweep
from kexp.sweep.sweep_result import load_sweep
from kexp.sweep.trial_runner import TrialRunner
from kexp.train.checkpoint.checkpoint import newest_step
from tests.forked_python import forked
from tests.sweep.planted_recipes import planted
from tests.sweep.planted_sweeps import start, until
from tests.sweep.test_sweep import running, table

LINE = {"trials": 3, "keep": 2, "fault": "none", "checkpoint_every": "5 steps", "quiet": True, "epochs": 30}


@pytest.fixture(scope="module")
def nodes():
    """Return a cluster whose head runs nothing, and two nodes with a CPU each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    before = ray_processes()
    memory = {"object_store_memory": 80 * 2**20}
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **memory}
    )
    for _ in range(2):
        cluster.add_node(num_cpus=1, wait=False, **memory)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()
    until(lambda: ray_processes() <= before, 20)


def ray_processes():
    """Return the numbers of all processes that are Ray's daemons or workers."""
    found = set()
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            if process.status() != psutil.STATUS_ZOMBIE and ("ray::" in words or "/ray/" in words):
                found.add(process.pid)
        except psutil.Error:
            continue
    return found


def attempts(directory, number):
    """Return the numbers of the processes in which a trial was begun."""
    path = directory / "logs" / f"ray-{number:04d}.txt"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [int(line.split()[-1]) for line in lines if " process " in line]


def in_training(directory):
    """Return those trials of which there is a checkpoint but no result."""
    folders = [directory / "trials" / f"{trial.number:04d}" for trial in running(directory)]
    return [
        int(folder.name)
        for folder in folders
        if newest_step(folder / "checkpoints") and not (folder / "result.json").exists()
    ]


def task_in(directory):
    return TaskSpec(
        RunTrial(0, {"units": 8}, step=0),
        recipe="tests.sweep.planted_recipes:planted",
        directory=directory,
        marker="logs/ray",
        cwd=directory,
        threads=1,
    )


def epochs_done(directory):
    path = directory / "trials" / "0000" / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.is_file() else 0


def kill_a_node(cluster, directory, killed):
    """Kill the node on which a trial is in training, as a power cut would."""
    until(lambda: in_training(directory))
    number = in_training(directory)[0]
    parents = {parent.pid for parent in psutil.Process(attempts(directory, number)[-1]).parents()}
    for node in list(cluster.worker_nodes):
        if node.all_processes["raylet"][0].process.pid in parents:
            killed += [number, newest_step(directory / "trials" / f"{number:04d}" / "checkpoints")]
            cluster.remove_node(node, allow_graceful=False)


@pytest.mark.slow
def test_a_killed_node_loses_no_trial_and_changes_nothing_in_the_table(nodes, tmp_path):
    directory, killed, line = tmp_path / "cluster", [], {**LINE, "trials": 2}
    thread = threading.Thread(target=kill_a_node, args=(nodes, directory, killed), daemon=True)
    thread.start()
    found = sweep(planted, **line, workers=2, cluster=nodes.address, dir=directory)
    thread.join(30)
    number, step = killed
    assert step > 0
    assert len(nodes.worker_nodes) == 1
    assert len(attempts(directory, number)) == 2  # Ray's retry, in another process
    assert [trial.state for trial in found.trials] == ["completed"] * 2
    assert [trial.token for trial in found.trials] == [1] * 2  # under the lease of the first attempt
    reported = [one.trial for one in Store(directory).events() if one.kind is EventKind.REPORTED]
    assert sorted(reported) == [0, 1]
    assert len((found.run_dir(number) / "metrics.jsonl").read_text().splitlines()) == 30
    assert "test_accuracy" in found.best.metrics
    sweep(planted, **line, dir=tmp_path / "alone")
    assert table(directory) == table(tmp_path / "alone")


@pytest.mark.slow
def test_a_trial_that_crashes_every_time_fails_and_the_sweep_goes_on(nodes, tmp_path, monkeypatch):
    monkeypatch.setattr("kexp.sweep.executors.ray.ATTEMPTS", 2)  # each takes a process of Ray's
    fixed = {"units": 8, "dropout": 0.0, "batch_size": 16, "learning_rate": 0.01, "epochs": 2}
    line = {**LINE, **fixed, "fault": ["segfault", "none", "raise"], "algorithm": "grid", "workers": 2}
    frame = (
        sweep(planted, **line, cluster=nodes.address, dir=tmp_path / "sweep").to_frame().set_index("fault")
    )
    assert frame["state"].to_dict() == {"segfault": "failed", "none": "completed", "raise": "failed"}
    assert "worker died 2 times without progress" in frame["error"]["segfault"]
    assert "Segmentation fault" in frame["error"]["segfault"]
    assert "ArithmeticError: planted" in frame["error"]["raise"]
    assert len(attempts(tmp_path / "sweep", 0)) == 2


@pytest.mark.slow
def test_an_interrupted_driver_has_its_trial_saved_and_the_same_line_goes_on(nodes, tmp_path):
    directory = tmp_path / "sweep"
    # So many epochs that it would not end, and so rare checkpoints that only the signal can have saved one.
    line = {**LINE, "trials": 2, "epochs": 10_000, "checkpoint_every": "60 minutes"}
    line["cluster"] = nodes.address
    process = start(directory, line, stdout=forked.DEVNULL, stderr=forked.PIPE)
    until(lambda: epochs_done(directory) > 5 or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=90)
    assert process.returncode != 0
    assert [trial.state for trial in load_sweep(directory).trials] == ["waiting"] * 2
    saved, before = newest_step(directory / "trials/0000/checkpoints"), epochs_done(directory)
    assert saved >= before > 5  # of at least a step to an epoch
    begun = attempts(directory, 0)
    process = start(directory, line, stdout=forked.DEVNULL, stderr=forked.PIPE)
    until(lambda: attempts(directory, 0) not in ([], begun) and epochs_done(directory) > before)
    process.kill()
    process.communicate()
    until(lambda: not any(psutil.pid_exists(number) for number in attempts(directory, 0)), 30)


@pytest.mark.slow
def test_what_the_cluster_cannot_do_is_one_sentence(nodes, tmp_path, monkeypatch):
    line = {**LINE, "cluster": nodes.address, "dir": tmp_path / "sweep"}
    with pytest.raises(InputError, match=r"resources must be what one node .* received .*'GPU': 7"):
        sweep(planted, **line, resources={"GPU": 7})
    enter = RayExecutor.__enter__

    def enter_elsewhere(self):
        enter(self)
        (self._directory / self._marker).unlink()  # as on a machine that has another folder of this name
        return self

    monkeypatch.setattr(RayExecutor, "__enter__", enter_elsewhere)
    with pytest.raises(InputError, match="must be a folder that all machines of the cluster share"):
        sweep(planted, **line)


def test_a_folder_that_is_not_shared_is_noticed_before_anything_runs(tmp_path):
    assert "does not see it" in run(task_in(tmp_path)).mistake


@pytest.mark.parametrize(
    ("happens", "outcome"),
    [
        (ArithmeticError("planted"), Failed),
        (OSError(errno.ENOSPC, "No space left on device"), FullDisk),
        (StoppedBySignal(signal.SIGINT, 3), Stopped),
        (InputError("run_dir x is being trained in by another process; wait"), Completed),
    ],
)
def test_a_task_says_how_its_trial_ended(happens, outcome, tmp_path, monkeypatch):
    errors = [happens]  # at the first call; at the second, if there is one, it works

    def recipe(**arguments):
        if errors:
            raise errors.pop()
        return SimpleNamespace(metrics={"val_accuracy": 0.5})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray_task, "runner_for", lambda name, threads, directory: TrialRunner(recipe))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "ray").touch()
    assert isinstance(run(task_in(tmp_path)).outcome, outcome)


def test_a_trial_whose_process_is_killed_again_and_again_fails_unless_it_gets_on(tmp_path, monkeypatch):
    (tmp_path / "trials" / "0000" / "checkpoints").mkdir(parents=True)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "ray").touch()
    log = tmp_path / "logs" / "ray-0000.txt"
    log.write_text("machine process 1\n" * 4)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray_task, "runner_for", lambda name, threads, directory: None)
    outcome = run(task_in(tmp_path)).outcome
    assert isinstance(outcome, Lost)
    assert ending_of(outcome, got_on=True, log=log) == Stopped()
    assert "died 4 times without progress" in ending_of(outcome, got_on=False, log=log).error
    assert "machine process 1" in ending_of(outcome, got_on=False, log=log).error


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere"])
def test_an_address_without_a_cluster_is_refused_within_seconds(address, tmp_path):
    pytest.importorskip("ray")
    started_s = time.monotonic()
    with pytest.raises(InputError, match=f"cluster must be .* received '{address}'"):
        sweep(planted, **LINE, cluster=address, dir=tmp_path / "sweep")
    assert time.monotonic() - started_s < 10


@pytest.mark.parametrize("resources", [{"CPU": 0}, {"GPU": 1.5}, {"CPU": "2"}, ["CPU"], {"CPU": True}])
def test_resources_are_numbers_by_name(resources):
    with pytest.raises(InputError, match="resources must be numbers above 0 by name"):
        checked_resources(resources)


def test_without_ray_one_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError, match=r'cluster needs Ray, .* pip install "kexp\[ray\]"'):
        RayExecutor(tmp_path, 1, 1, address="auto", resources={})

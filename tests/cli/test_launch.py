"""`kexp launch` starts workers that train as one process would, tells mistakes once, leaves nobody behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import kexp
import kexp.cli.launch as launch_module
from kexp.core.errors import InputError
from kexp.core.processes import usable_cores
from tests.forked_python import forked

ROOT = Path(__file__).resolve().parents[2]
RUN = ["run", "mlp_images", "--hidden", "16", "--seed", "3", "--checkpoint-every", "1 epoch"]


@pytest.fixture
def start(tmp_path):
    """Return a function that starts `kexp launch` with two workers; whatever is left is killed."""
    started = []

    def begin(*arguments):
        command = [sys.executable, "-m", "kexp.cli", "launch", "--workers", "2", "--", *arguments]
        process = forked.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        for child in children(process):
            child.kill()
        process.kill()
        process.communicate()


def children(process):
    try:
        found = psutil.Process(process.pid).children()
        return [child for child in found if "kexp.cli.worker" in child.cmdline()]
    except psutil.NoSuchProcess:
        return []


def until(holds, seconds=120.0):
    deadline_s = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert holds()


def epochs_in(folder):
    file = folder / "metrics.jsonl"
    return len(file.read_text().splitlines()) if file.is_file() else 0


@pytest.mark.slow
def test_workers_killed_stopped_and_gone_on_with_end_as_one_process_does(start, tmp_path):
    folder = tmp_path / "run"
    line = [*RUN, "--epochs", "15", "--run-dir", str(folder)]
    killed = start(*line)
    until(lambda: epochs_in(folder) >= 1)
    workers = children(killed)
    workers[1].kill()
    began_s = time.monotonic()
    _, errors = killed.communicate(timeout=60)
    assert time.monotonic() - began_s < 60
    assert killed.returncode == 137
    said = "kexp: worker 1 was ended by SIGKILL; the same line goes on from the last checkpoint.\n"
    assert errors.endswith(said)
    assert not any(worker.is_running() for worker in workers)

    before = epochs_in(folder)
    stopped = start(*line)
    until(lambda: epochs_in(folder) > before)
    workers = children(stopped)
    stopped.send_signal(signal.SIGTERM)
    _, errors = stopped.communicate(timeout=60)
    assert (stopped.returncode, errors) == (
        143,
        "kexp: interrupted; the same line goes on from the last checkpoint.\n",
    )
    assert not any(worker.is_running() for worker in workers)
    assert not (folder / "result.json").exists()

    ended = start(*line)
    printed, errors = ended.communicate(timeout=120)
    assert (ended.returncode, errors) == (0, "")
    assert printed.count("\ntest_accuracy ") == 1
    assert epochs_in(folder) == 15
    alone = kexp.recipes.mlp_images(
        hidden=(16,), seed=3, epochs=15, run_dir=str(tmp_path / "alone"), quiet=True
    )
    recorded = json.loads((folder / "result.json").read_text())["metrics"]
    assert recorded == pytest.approx(alone.metrics, abs=1e-5)


def test_workers_do_not_outlive_a_launcher_that_is_killed(start):
    launcher = start(*RUN)
    until(lambda: len(children(launcher)) == 2)
    workers = children(launcher)
    time.sleep(1.0)
    launcher.kill()
    launcher.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive


def test_a_signal_before_training_ends_all_with_its_code(start, tmp_path):
    launcher = start(*RUN)
    until(lambda: len(children(launcher)) == 2)
    workers = children(launcher)
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(timeout=90) == 143
    assert not any(worker.is_running() for worker in workers)


def test_the_last_words_of_a_worker_that_failed_are_shown_and_the_others_are_ended(
    monkeypatch, tmp_path, capfd, new_interpreter
):
    # Python imports this first of all.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        """if '"index": 1}' in os.environ.get("TF_CONFIG", ""):\n"""
        "    print('first', 'last', sep='\\n', file=sys.stderr, flush=True)\n"
        "    os._exit(3)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(launch_module, "NOTICE_S", 0.5)
    monkeypatch.chdir(tmp_path)
    before = psutil.Process().children()  # of tests that ran earlier in this process
    assert kexp.launch(RUN, workers=2) == 3
    lines = capfd.readouterr().err.splitlines()
    assert lines[:2] == ["worker 1: first", "worker 1: last"]
    said = (
        r"kexp: worker 1 ended with code 3; the same line with --run-dir runs/mlp_images-[\d-]+ goes on from"
    )
    assert re.match(said, lines[2])
    assert psutil.Process().children() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "must be `run` or `resume`"),
        (["check", "mlp_images"], "must be `run` or `resume`"),
        (["run", "no_such_recipe"], "no_such_recipe"),
        (["run", "mlp_images", "--epoch", "3"], "Did you mean --epochs?"),
        (["run", "mlp_images", "--epochs", "0"], "epochs must be a whole number, 1 or more; received 0"),
        (["run", "mlp_images", "--data", "missing.csv"], "missing.csv"),
        (["run", "mlp_images", "--strategy", "cpu"], "strategy must be 'auto' or 'multiworker'"),
        (["run", "mlp_images", "--devices", "CPU:0"], "devices must be None"),
        (["resume", "nowhere"], "nowhere holds no config.json"),
    ],
)
def test_a_mistake_is_told_once_before_anything_is_started(run_kexp, tmp_path, arguments, words):
    done = run_kexp("launch", "--workers", "2", "--", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_told_without_tensorflow():
    code = """if True:
        import sys
        import kexp
        for arguments in (["resume", "nowhere"], ["run", "mlp_images", "--epochs", "0"]):
            try:
                kexp.launch(arguments, workers=2)
            except kexp.InputError:
                continue
            raise AssertionError(arguments)
        assert not {"tensorflow", "keras"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)


def test_a_run_in_a_folder_of_another_one_is_refused(digits_run):
    with pytest.raises(InputError, match="holds a run with other arguments"):
        kexp.launch(["run", "mlp_images", "--epochs", "2", "--seed", "1", "--run-dir", str(digits_run)], 2)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(InputError, match="workers must be a whole number, 1 or more; received 0"):
        kexp.launch(["run", "mlp_images"], workers=0)
    too_many = len(usable_cores()) // 2 + 1
    with pytest.raises(InputError, match=rf"cores_per_worker must be .*; received {too_many}, so"):
        kexp.launch(["run", "mlp_images"], workers=2, cores_per_worker=too_many)


def test_pinning_is_refused_where_the_system_has_none(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    with pytest.raises(InputError, match="cores_per_worker must be None on"):
        kexp.launch(["run", "mlp_images"], workers=1, cores_per_worker=1)


def test_help_starts_nothing(run_kexp):
    done = run_kexp("launch", "--workers", "2", "--", "run", "mlp_images", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Usage") == 1

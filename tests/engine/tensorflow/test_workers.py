"""Two real processes train together: one writes, each stops with the other, and none waits for ever."""

import json
import os
import signal
import sys
import time

import pytest

import kexp
from kexp.engine.tensorflow.cluster_spec import local_clusters
from tests.forked_python import forked

TRAINING = ["mlp_images", "--epochs", "20", "--hidden", "16", "--checkpoint-every", "20 steps"]
BOUND_S = 60


def start(cluster, run_dir, *arguments):
    """Start a worker of the command line."""
    return forked.Popen(
        [sys.executable, "-m", "kexp.cli", "run", *TRAINING, "--run-dir", str(run_dir), *arguments],
        env={**os.environ, "TF_CONFIG": cluster.to_json()},
        stdout=forked.PIPE,
        stderr=forked.PIPE,
        text=True,
    )


def start_both(folder):
    # Of folders of their own, as on two machines without a common disk.
    return [start(cluster, folder / f"worker-{cluster.index}") for cluster in local_clusters(2)]


def wait_for_checkpoint(folder, process):
    while not list(folder.glob("worker-0/checkpoints/step-*.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def ends(process):
    """Return exit code, and what was said on stdout and stderr."""
    said = process.communicate(timeout=BOUND_S)
    return process.returncode, *said


@pytest.mark.slow
def test_the_chief_alone_writes_and_a_signal_to_one_stops_both_at_the_same_step(tmp_path):
    workers = start_both(tmp_path)
    wait_for_checkpoint(tmp_path, workers[0])
    workers[1].send_signal(signal.SIGTERM)
    codes = [ends(worker)[0] for worker in workers]
    assert codes == [143, 143]
    assert not (tmp_path / "worker-0" / "result.json").exists()
    again = [ends(worker) for worker in start_both(tmp_path)]
    assert [code for code, *_ in again] == [0, 0]
    assert "batches of 64 samples, 32 on each of 2 replicas" in again[0][1]
    assert "epoch 20/20" in again[0][1]
    assert "test_accuracy" in again[0][1]
    assert again[1][1] == ""
    assert not (tmp_path / "worker-1").exists()
    alone = kexp.recipes.mlp_images(epochs=20, hidden=(16,), quiet=True, run_dir=str(tmp_path / "alone"))
    assert kexp.load(tmp_path / "worker-0").metrics == pytest.approx(alone.metrics, abs=1e-4)
    batch = json.loads((tmp_path / "worker-0" / "config.json").read_text())["batch"]
    assert (batch["global_batch"], batch["per_replica_batch"], batch["replicas"]) == (64, 32, 2)


@pytest.mark.slow
def test_one_that_is_left_without_its_chief_says_so_and_ends(tmp_path):
    workers = start_both(tmp_path)
    wait_for_checkpoint(tmp_path, workers[0])
    workers[0].kill()
    code, _, said = ends(workers[1])
    assert code == 75
    assert "kexp: Another of the 2 workers is gone" in said
    assert "the same call goes on from the last checkpoint" in said
    assert "Traceback" not in said
    assert ends(workers[0])[0] == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_a_worker_that_never_comes_is_given_up(tmp_path, index):
    began_s = time.monotonic()
    clusters = local_clusters(2)
    code, _, said = ends(start(clusters[index], tmp_path / "run", "--start-timeout-s", "2"))
    assert code == 75
    missing = f"{1 - index} ({clusters[0].workers[1 - index]})"
    assert f"Not all of the 2 workers came within 2 s: this is worker {index}" in said
    assert f"nothing was heard of {missing}" in said
    assert time.monotonic() - began_s < BOUND_S
    assert not (tmp_path / "run").exists()


def test_a_bad_cluster_is_a_mistake_that_is_told_before_tensorflow(run_kexp, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "worker")
    done = run_kexp("run", "mlp_images")
    assert done.returncode == 2
    assert done.stderr.startswith("kexp: TF_CONFIG: is not JSON in line 1")

"""Trackers' own readers read back what was logged: of a killed run that went on once, of sweeps too."""

import json
import os
import random
import signal
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError
from tests.forked_python import forked
from tests.sweep.in_process import in_process
from tests.trackers.killed_run import ARGUMENTS

ROOT = Path(__file__).resolve().parent.parent.parent
ALL = "tensorboard,mlflow,wandb"
# Of their readers' own packages.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Have MLflow keep its runs in a folder of the tests' own, also of processes they start."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.delenv("WANDB_MODE", raising=False)
        patch.chdir(folder)  # where MLflow puts artifacts
        yield folder


@pytest.fixture(scope="module")
def continued(store):
    """Return the result of a tracked run that was killed and went on, and the state of random numbers."""
    run_dir = str(store / "runs" / "killed")
    command = [sys.executable, "-m", "tests.trackers.killed_run", run_dir, ALL]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = forked.run(command, capture_output=True, text=True, env=environment, cwd=store, timeout=240)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(Path(run_dir, "metrics.jsonl").read_text().splitlines()) == 2
    return kexp.resume(run_dir, track=ALL.split(","), quiet=True)


@pytest.fixture
def client(store):
    from mlflow import MlflowClient

    return MlflowClient()


def runs_of(client, experiment):
    return client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


@pytest.mark.slow
def test_mlflow_reads_back_one_run_with_each_epoch_once(continued, client):
    (run,) = runs_of(client, "mlp_images")
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "killed"
    assert run.data.params["hidden"] == "[16]"
    assert run.data.params["data"] == "digits"
    history = client.get_metric_history(run.info.run_id, "val_loss")
    logged = [(one.step, one.value) for one in sorted(history, key=lambda one: one.step)]
    assert logged == [(number + 1, loss) for number, loss in enumerate(continued.history["val_loss"])]
    assert run.data.metrics["test_accuracy"] == continued.metrics["test_accuracy"]
    assert run.data.metrics["final/val_loss"] == continued.metrics["val_loss"]
    names = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert {"config.json", "result.json", "metrics.jsonl", "curves.png", "model"} <= names


@pytest.mark.slow
def test_mlflow_reads_back_the_model(continued, client):
    import mlflow.keras

    (run,) = runs_of(client, "mlp_images")
    read = mlflow.keras.load_model(f"runs:/{run.info.run_id}/model")
    images = kexp.data.load("digits").validation.inputs[:16]
    assert np.array_equal(read.predict(images, verbose=0), continued.model.predict(images, verbose=0))


@pytest.mark.slow
def test_tensorboard_reads_back_each_epoch_once(continued):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(continued.run_dir / "tensorboard")).Reload()
    curve = [(one.step, float(make_ndarray(one.tensor_proto))) for one in events.Tensors("loss/validation")]
    losses = continued.history["val_loss"]
    assert curve == [(number + 1, pytest.approx(loss)) for number, loss in enumerate(losses)]
    width, height, picture = make_ndarray(events.Tensors("learning curves")[0].tensor_proto)
    assert picture == (continued.run_dir / "curves.png").read_bytes()
    assert int(width) > int(height) > 0
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    hparams = HParamsPluginData.FromString(content).session_start_info.hparams
    assert hparams["learning_rate"].number_value == 1e-3
    assert hparams["hidden"].string_value == "[16]"


@pytest.mark.slow
def test_the_last_files_of_wandb_have_each_epoch_once_and_are_of_the_same_run(continued):
    run_id = json.loads((continued.run_dir / "wandb.json").read_text())["id"]
    _, last = sorted(Path("wandb").glob(f"offline-run-*-{run_id}/*.wandb"))
    records = records_of(last)
    items = [
        {one.key or one.nested_key[0]: json.loads(one.value_json) for one in record.history.item}
        for record in records
        if record.HasField("history")
    ]
    losses = [(item["epoch"], item["val_loss"]) for item in items]
    assert losses == [(number + 1, loss) for number, loss in enumerate(continued.history["val_loss"])]
    (run,) = [record.run for record in records if record.HasField("run")]
    assert {one.key: one.value_json for one in run.config.update}["hidden"] == "[16]"


def records_of(path):
    """Return the records in a file of wandb's, in the form of LevelDB's logs: CRC, length, kind, content."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, found = path.read_bytes(), 7, []
    assert content[:4] == b":W&B"
    while place < len(content):
        _, length, kind = struct.unpack("<IHB", content[place : place + 7])
        assert kind == 1, "a record over several blocks"
        found.append(Record.FromString(content[place + 7 : place + 7 + length]))
        place += 7 + length
    return found


class Wrong:
    """A tracker that raises, at one event or at each."""

    name = "wrong"

    def __init__(self, at):
        self.at = at

    def __getattr__(self, event):
        def told(*args):
            if self.at in (event, "each"):
                raise OSError("the <b>\nserver is gone")

        return told


@pytest.mark.parametrize("at", ["each", "finished"])
def test_a_tracker_that_fails_is_named_in_one_line_and_training_goes_on_with_the_same_bits(
    at, digits_run, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("kexp.api.fit.active_trackers", lambda track: [Wrong(at)])
    result = recipes.mlp_images(data="digits", epochs=2, run_dir=str(tmp_path / "run"), quiet=True)
    left_alone = kexp.load(digits_run)
    assert result.history == left_alone.history
    assert all(map(np.array_equal, result.model.get_weights(), left_alone.model.get_weights()))
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "kexp: tracker wrong failed and is left out from here on: OSError: the <b>\\nserver is gone"
    )


@pytest.mark.slow
def test_trackers_draw_no_random_numbers_and_change_no_bits(continued, tmp_path):
    before = random.getstate(), np.random.get_state()[1].tolist()
    from kexp.trackers import active_trackers
    from kexp.trackers.base import TrackedRun

    config = {"recipe": "mlp_images", "arguments": {"hidden": [8]}}
    for tracker in active_trackers(ALL):
        tracker.started(TrackedRun(tmp_path, config), [])
        tracker.epoch(1, {"loss": 0.5})
        tracker.failed(KeyboardInterrupt())
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    untracked = recipes.mlp_images(**ARGUMENTS, run_dir=str(tmp_path / "untracked"))
    assert untracked.history == continued.history


@pytest.mark.slow
def test_the_trials_of_a_sweep_are_nested_runs_and_track_is_no_part_of_what_it_is(
    store, client, tmp_path, monkeypatch
):
    in_process(monkeypatch, recipes.mlp_tabular)
    line = {
        "trials": 2,
        "epochs": 1,
        "data": "iris",
        "hidden": (16,),
        "quiet": True,
        "dir": tmp_path / "sweep",
    }
    kexp.sweep(recipes.mlp_tabular, **line, track="mlflow")
    found = {run.info.run_name: run for run in runs_of(client, "mlp_tabular")}
    assert sorted(found) == ["sweep", "sweep/trials/0000", "sweep/trials/0001"]
    parent = found.pop("sweep")
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {parent.info.run_id}
    assert {run.info.status for run in (parent, *found.values())} == {"FINISHED"}
    assert parent.data.params["learning_rate"] == "0.0002 to 0.02, log"
    again = kexp.sweep(recipes.mlp_tabular, **line)
    assert len(again.trials) == 2


def test_an_unknown_tracker_and_a_missing_package_are_told_before_data_are_loaded(run_kexp, monkeypatch):
    wrong = run_kexp("run", "mlp_images", "--track", "tensorboard,mflow", "--data", "digits")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "received 'mflow' (did you mean 'mlflow'?)" in wrong.stderr
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'kexp\[wandb\]'"):
        kexp.recipes.mlp_images(data="digits", track="wandb")
    with pytest.raises(InputError, match="track: mlflow needs the package mlflow"):
        kexp.sweep(recipes.mlp_images, data="digits", track="mlflow")


def test_names_with_markup_and_marks_of_direction_are_text_in_what_is_logged(store, client, tmp_path):
    from kexp.trackers.base import TrackedRun
    from kexp.trackers.mlflow import MLflow

    odd = '<script>"\u202e'
    tracker = MLflow()
    tracker.started(TrackedRun(tmp_path, {"recipe": "odd", "arguments": {"target": odd}}), [])
    tracker.epoch(1, {f"iou_{odd}": 0.5})
    tracker.failed(ValueError())
    (run,) = runs_of(client, "odd")
    assert run.data.params["target"] == odd
    assert run.data.metrics == {"iou__script___": 0.5}
    assert run.info.status == "FAILED"

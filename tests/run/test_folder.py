"""A run folder is complete, is never overwritten, and continues only the run that it holds."""

import json
import os
import shutil
import subprocess
import sys

import keras
import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError

TINY = {"data": "digits", "epochs": 1, "quiet": True}


def test_a_finished_run_has_every_file(digits_run):
    names = {path.name for path in digits_run.iterdir()}
    files = {
        "config.json",
        "env.json",
        "architecture.json",
        "metrics.jsonl",
        "checksums.jsonl",
        "pace.jsonl",
        "model.keras",
        "result.json",
        "curves.png",
        "samples.npz",
    }
    assert names == files | {"checkpoints"}
    environment = json.loads((digits_run / "env.json").read_text())
    assert environment["versions"].keys() >= {"python", "keras", "numpy"}
    assert len(environment["data"]["fingerprint"]) == 64
    assert environment["hardware"]["cores"] >= 1
    assert "CPU" in environment["hardware"]["devices"]
    lines = [json.loads(line) for line in (digits_run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    result = json.loads((digits_run / "result.json").read_text())
    assert result["metrics"].keys() >= {"accuracy", "val_accuracy", "test_accuracy"}
    assert result["history"]["val_loss"] == [line["val_loss"] for line in lines]
    assert (digits_run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_code_that_ran_is_recorded_with_its_uncommitted_changes(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "idea.py").write_text("width = 8\n")
    git("add", ".")
    git("commit", "-m", "first")
    (tmp_path / "idea.py").write_text("width = 9\n")
    monkeypatch.chdir(tmp_path)
    recipes.mlp_images(**TINY, run_dir="run")
    recorded = json.loads((tmp_path / "run" / "env.json").read_text())["git"]
    assert len(recorded["commit"]) == 40
    assert "+width = 9" in recorded["diff"]


def test_without_a_run_dir_each_run_gets_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = {recipes.mlp_images(**TINY).run_dir for _ in range(2)}
    assert len(folders) == 2
    assert all(folder.parent.name == "runs" and folder.name.startswith("mlp_images-") for folder in folders)


def test_a_finished_run_is_returned_and_not_trained_again(digits_run, capsys):
    before = (digits_run / "result.json").stat().st_mtime_ns
    result = recipes.mlp_images(data="digits", epochs=2, run_dir=str(digits_run))
    assert "is finished" in capsys.readouterr().out
    assert result.metrics == kexp.load(digits_run).metrics
    assert (digits_run / "result.json").stat().st_mtime_ns == before


def test_other_arguments_for_the_same_folder_are_refused_with_the_difference(digits_run):
    with pytest.raises(InputError, match=r"epochs was 2 and is now 1; seed was 0 and is now 1\. Repeat"):
        recipes.mlp_images(data="digits", epochs=1, seed=1, run_dir=str(digits_run))
    with pytest.raises(InputError, match="recipe was mlp_images and is now cnn_images"):
        recipes.cnn_images(data="digits", epochs=2, run_dir=str(digits_run))


def test_more_epochs_for_a_finished_run_go_on_from_its_end(tmp_path):
    straight = recipes.mlp_images(**{**TINY, "epochs": 3}, run_dir=str(tmp_path / "straight"))
    recipes.mlp_images(**{**TINY, "epochs": 1}, run_dir=str(tmp_path / "run"))
    longer = recipes.mlp_images(**{**TINY, "epochs": 3}, run_dir=str(tmp_path / "run"))
    assert longer.history == straight.history
    assert longer.metrics == straight.metrics
    recorded = json.loads((tmp_path / "run" / "config.json").read_text())
    assert recorded["arguments"]["epochs"] == 3


def test_a_folder_that_another_process_trains_in_is_refused(tmp_path):
    class Intrude(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            code = "import fcntl, sys\nfcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
            lock = str(tmp_path / "run" / "checkpoints" / "lock")
            self.other = subprocess.run([sys.executable, "-c", code, lock], capture_output=True, text=True)
            with pytest.raises(InputError, match="is being trained in by another process"):
                fit()

    def fit(callbacks=()):
        keras.utils.set_random_seed(0)
        model = kexp.models.mlp((8, 8, 1), 10, hidden=(4,), dtype="uint8")
        data = kexp.data.load("digits")
        options = {"epochs": 1, "quiet": True, "run_dir": str(tmp_path / "run")}
        return kexp.fit(model, data, callbacks=callbacks, **options)

    intruder = Intrude()
    fit([intruder])
    assert "BlockingIOError" in intruder.other.stderr
    assert fit().metrics  # and afterwards it is free


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files that are not a run of kexp's"):
        recipes.mlp_images(**TINY, run_dir=str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_place_of_the_folder_or_of_its_parent_is_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    for run_dir in ("file", "file/run"):
        with pytest.raises(InputError, match=r"run_dir must be a folder; .*file is a file"):
            recipes.mlp_images(**TINY, run_dir=str(tmp_path / run_dir))


def test_other_data_under_the_same_name_is_not_trained_on_in_an_unfinished_run(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("size,kind\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(60)))
    arguments = {
        "data": str(table),
        "target": "kind",
        "epochs": 1,
        "quiet": True,
        "run_dir": str(tmp_path / "run"),
    }
    recipes.mlp_tabular(**arguments)
    (tmp_path / "run" / "result.json").unlink()
    table.write_text(table.read_text().replace("59,b", "59,a"))
    with pytest.raises(InputError, match=r"holds a run on other data than .*table"):
        recipes.mlp_tabular(**arguments)


@pytest.fixture
def small_disk(tmp_path):
    """Yield a file system of two megabytes; only root can mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.name == "nt" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_too_small_a_disk_is_noticed_before_training(small_disk):
    with pytest.raises(InputError, match=r"needs about \d+ MB .* and its disk has 2 MB free"):
        recipes.mlp_images(**TINY, run_dir=str(small_disk / "run"))
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_fills_up_meanwhile_stops_the_run_which_goes_on_when_there_is_room(small_disk, tmp_path):
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    arguments = {"data": "digits", "epochs": 4, "hidden": (64,), "quiet": True}
    ballast = small_disk / "ballast"

    def fill():
        free = shutil.disk_usage(small_disk).free
        ballast.write_bytes(bytes(free - 100_000))

    with pytest.MonkeyPatch.context() as patch:
        from kexp.run.metrics_file import MetricsFile

        whole = MetricsFile.epoch

        def append_then_fill(file, epoch, metrics):
            whole(file, epoch, metrics)
            if epoch == 2:
                fill()

        patch.setattr(MetricsFile, "epoch", append_then_fill)
        with pytest.raises(InputError, match="is on a full disk; free some space and repeat the same call"):
            recipes.mlp_images(**arguments, run_dir=str(small_disk / "run"))
    ballast.unlink()
    continued = recipes.mlp_images(**arguments, run_dir=str(small_disk / "run"))
    alone = recipes.mlp_images(**arguments, run_dir=str(tmp_path / "alone"))
    assert continued.metrics == alone.metrics
    assert not list((small_disk / "run").rglob(".*"))


def test_a_read_only_place_is_refused(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputError, match=r"run_dir must be a folder that can be written to; .* is read-only"):
        recipes.mlp_images(**TINY, run_dir=str(small_disk / "run"))

"""The pace of a run: a line for each epoch, also of a run that was stopped and went on."""

import keras
import pytest

import kexp
from kexp import recipes
from kexp.run.pace_file import pace_curves, read_pace


class StopIn(keras.callbacks.Callback):
    """Interrupts in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.now = epoch, None

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch and batch == 3:
            raise KeyboardInterrupt


def test_each_epoch_has_its_time_throughput_and_rate_once_whatever_came_between(tmp_path):
    line = {"hidden": (16,), "epochs": 4, "schedule": "cosine", "checkpoint_every": "2 steps", "quiet": True}
    line["run_dir"] = str(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        recipes.mlp_images(**line, callbacks=[StopIn(2)])
    assert [one["epoch"] for one in read_pace(tmp_path / "run")] == [1, 2]
    result = recipes.mlp_images(**line)
    lines = read_pace(result.run_dir)
    assert [one["epoch"] for one in lines] == [1, 2, 3, 4]
    assert all(one["seconds"] > 0 and one["samples_per_second"] > 0 for one in lines)
    rates = pace_curves(result.run_dir, 4)["learning_rate"]
    assert 1e-3 > rates[0] > rates[1] > rates[2] > rates[3] == 0.0
    assert "learning rate by epoch" in result.report(tmp_path / "page.html").read_text("utf-8")


def test_a_file_that_is_damaged_or_gone_takes_nothing_but_its_curves_away(digits_run, tmp_path):
    run = kexp.load(digits_run)
    assert len(pace_curves(digits_run, run.epochs)["learning_rate"]) == run.epochs
    (tmp_path / "pace.jsonl").write_text('{"epoch": 1, "seconds": 0.1, "learning_rate": 0.5}\n{"epo\n')
    assert pace_curves(tmp_path, 2)["learning_rate"][0] == 0.5
    assert pace_curves(tmp_path / "gone", 2) == {}

"""The pace of a run: a line for each epoch, also of a run that was stopped and went on."""

import keras
import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.run.metrics_file import read_epochs
from kexp.run.pace_lines import pace_curves, read_pace
from tests.api.small_fits import Cut


def test_each_epoch_has_its_time_throughput_and_rate_once_whatever_came_between(tmp_path):
    line = {"hidden": (16,), "epochs": 4, "schedule": "cosine", "checkpoint_every": "2 steps", "quiet": True}
    line["run_dir"] = str(tmp_path / "run")
    with pytest.raises(SystemExit):
        recipes.mlp_images(**line, callbacks=[Cut(after=2 * 21 + 4)])
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


def test_epochs_are_counted_as_the_caller_does_also_after_a_stop(tmp_path):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(64, 3)).astype("float32"), random.normal(size=(64, 1)).astype("float32")

    def fit(*callbacks):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        given = {"epochs": 6, "initial_epoch": 2, "batch_size": 8, "checkpoint_every": "2 steps"}
        return kexp.fit(model, x, y, **given, callbacks=callbacks, quiet=True, run_dir=str(tmp_path / "run"))

    with pytest.raises(SystemExit):
        fit(Cut(after=2 * 8 + 4))
    assert [line["epoch"] for line in read_epochs(tmp_path / "run")] == [3, 4]
    result = fit()
    assert result.epochs == 4
    for lines in (read_epochs(tmp_path / "run"), read_pace(tmp_path / "run")):
        assert [line["epoch"] for line in lines] == [3, 4, 5, 6]
    assert pace_curves(tmp_path / "run", 4)["learning_rate"] == [pytest.approx(0.01)] * 4

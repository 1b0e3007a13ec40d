"""The end of a training: budgets stop on a plateau, and what was still getting better is said to be so."""

import json

import keras
import numpy as np
import pytest

import kexp
from kexp.run.training_end import still_better
from tests.report.test_sweep_page import Reader

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(100, 3)).astype("float32")
LINE, NOISE = X @ np.ones((3, 1), "float32"), RANDOM.normal(size=(100, 1)).astype("float32")


def fitted(y, folder, **options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    data = kexp.data.load((X, y), task="regression", validation=0.4, seed=0)
    return kexp.fit(model, data, run_dir=str(folder), batch_size=64, **options)


def test_a_figure_that_was_still_falling_is_said_on_the_screen_in_the_record_and_on_the_page(
    tmp_path, capsys
):
    result = fitted(LINE, tmp_path / "run", epochs=4)
    said = "val_loss was still falling at the end: more epochs may help."
    assert said in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "result.json").read_text())["ended"] == said
    assert kexp.load(tmp_path / "run").ended == said
    assert said in Reader(result.report().read_text("utf-8")).text


def test_a_budget_stops_on_a_plateau_and_where_it_does_not_is_what_it_was(tmp_path, capsys):
    budget = {"epochs": 2, "least_steps": 50, "learning_rate": 0.1}
    result = fitted(NOISE, tmp_path / "noise", **budget)
    assert result.epochs < 50
    assert result.ended == (
        f"training stopped after {result.epochs} of 50 epochs: 10 in a row brought no better val_loss."
    )
    assert result.epochs == result.best_epoch + 10
    said = capsys.readouterr().out
    assert result.ended in said
    assert "training ends once 10 of these epochs in a row bring no better val_loss" in said
    # Whoever gives the epochs has all of them, and until then the same history.
    whole = fitted(NOISE, tmp_path / "whole", epochs=50, learning_rate=0.1, quiet=True)
    assert whole.epochs == 50
    assert whole.history["val_loss"][: result.epochs] == result.history["val_loss"]
    learns = fitted(LINE, tmp_path / "line", **{**budget, "learning_rate": 0.01}, quiet=True)
    alike = fitted(LINE, tmp_path / "alike", epochs=50, learning_rate=0.01, quiet=True)
    for one, other in zip(learns.model.get_weights(), alike.model.get_weights(), strict=True):
        assert (one == other).all()


def test_a_budget_whose_rate_ends_near_zero_goes_to_its_end(tmp_path):
    options = {"epochs": 2, "least_steps": 20, "learning_rate": 0.3, "schedule": "cosine", "quiet": True}
    assert fitted(NOISE, tmp_path / "run", **options).epochs == 20


@pytest.mark.parametrize(
    ("values", "mode", "expected"),
    [
        ([9, 8, 7, 6], "min", True),
        ([0.5, 0.6, 0.7], "max", True),
        ([9, 8, 7, 7.5], "min", False),
        ([9, 5, 4.01, 4.0], "min", False),
        ([9, 8], "min", False),
        ([9, 8, float("nan")], "min", False),
        ([1, 1, 1, 1], "min", False),
    ],
)
def test_a_figure_is_still_better_where_the_best_is_at_the_end_by_more_than_a_trifle(values, mode, expected):
    assert still_better(values, mode) is expected

"""Numbers that float32 makes one of are said wherever they are not centred before."""

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp.data import load, windows

N = 60
Y = np.array([0, 1] * (N // 2))
SMALL = np.random.default_rng(0).normal(size=N)
MERGING = {
    "ids": 2**40 + np.arange(N),
    "epoch milliseconds": (1_700_000_000_000 + np.arange(N) * 7).astype(np.float64),
    "a large offset": 1e8 + np.arange(N) / 8,
}
KEPT = {
    "small": SMALL,
    "whole": np.arange(N) - 30,
    "of a wide range": np.geomspace(1e-20, 1e20, N),
    "one far away": np.where(np.arange(N) == 5, 1e12, SMALL),
    "float32": SMALL.astype(np.float32),
    "seconds": 1_700_000_000 + np.arange(N) * 86_400,
}


def noted(data):
    return [note for note in data.notes if "float32" in note]


def every_way(numbers, folder):
    """Return data sets that have the numbers as their second channel or target, by where they are from."""
    beside = np.stack(
        [SMALL.astype(numbers.dtype) if numbers.dtype.kind == "f" else np.arange(N), numbers], 1
    )
    np.savez(folder / "t.npz", x_train=beside, y_train=Y)
    series = np.repeat(beside[:, None], 2, axis=1)
    return {
        "pair": load((beside, Y)),
        "mapping": load({"x_train": beside, "y_train": Y}),
        "list": load((beside.tolist(), Y.tolist())),
        "frame": load((pd.DataFrame(beside), Y)),
        "file": load(folder / "t.npz"),
        "series": load((series, Y)),
        "series of different lengths": load(([*series[:-1], series[-1][:1]], Y)),
        "targets": load((SMALL[:, None], numbers), task="regression"),
        "windows": windows(numbers, history=3, test=5),
        "windows of a table": windows(pd.DataFrame({"a": numbers}), column="a", history=3, test=5),
    }


@pytest.mark.parametrize("kind", MERGING)
def test_numbers_that_become_one_are_counted_and_said(kind, tmp_path):
    distinct, left = N, len(np.unique(MERGING[kind].astype(np.float32)))
    for way, data in every_way(MERGING[kind], tmp_path).items():
        (note,) = noted(data)
        assert f"tells {left} of {distinct} different numbers apart" in note, way
        assert note.endswith("subtract the smallest or the mean first."), way


@pytest.mark.parametrize("kind", KEPT)
def test_numbers_that_stay_apart_are_not_spoken_of(kind, tmp_path):
    for way, data in every_way(KEPT[kind], tmp_path).items():
        assert noted(data) == [], way


def test_tables_keep_them_apart_and_say_nothing():
    table = pd.DataFrame({"a": MERGING["a large offset"], "y": Y})
    assert noted(load(table, target="y")) == []
    assert len(noted(load(table, target="a", task="regression"))) == 1


def test_fit_says_it_of_arrays_as_keras_takes_them(tmp_path, capsys):
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = MERGING["a large offset"][:, None] * 1e-8  # near one, with differences of a billionth
    kexp.fit(model, x, SMALL, epochs=1, run_dir=str(tmp_path / "run"))
    assert "the inputs are float32 to a model, which tells" in capsys.readouterr().out
    page = kexp.load(tmp_path / "run").report().read_text(encoding="utf-8")
    assert "the inputs are float32 to a model" in page


def test_many_random_numbers_are_no_cause_for_a_word():
    numbers = np.random.default_rng(0).uniform(size=(400_000, 3))
    assert noted(load((numbers, np.arange(len(numbers)) % 2))) == []

"""Recipes take data in memory and callbacks from Python, and their runs go on with the same ones."""

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError
from kexp.run.recipe_call import bind

LINE = {"target": "y", "hidden": (8,), "epochs": 2, "quiet": True}


def frame():
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"a": rng.random(60), "town": ["NA", "b", None] * 20})
    return made.assign(y=np.where(made["a"] > 0.5, "hi", "lo"))


class Epochs(keras.callbacks.Callback):
    """Notes the epochs that it is told of, and may break off the run in one."""

    def __init__(self, stop=None):
        super().__init__()
        self.epochs, self.stop = [], stop

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.stop:
            raise ArithmeticError("broken off")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "alone"
    return recipes.mlp_tabular(data=frame(), run_dir=str(run_dir), **LINE)


def test_the_folder_has_form_and_fingerprint_of_the_data_and_not_what_they_hold(finished):
    recorded = json.loads((finished.run_dir / "config.json").read_text())["arguments"]["data"]
    assert recorded["in_memory"] == "DataFrame"
    assert len(recorded["fingerprint"]) == 64
    assert set(recorded) == {"in_memory", "fingerprint"}


def test_the_same_line_with_the_same_data_gives_the_run_and_with_others_a_sentence(finished):
    line = {**LINE, "run_dir": str(finished.run_dir)}
    assert recipes.mlp_tabular(data=frame(), **line).metrics == finished.metrics
    other = frame()
    other.loc[3, "town"] = "b"
    for data, words in ((other, "is now a DataFrame in memory"), ("iris", "is now 'iris'")):
        with pytest.raises(InputError, match=f"data was a DataFrame in memory .* and {words}"):
            recipes.mlp_tabular(data=data, **line)
    with pytest.raises(InputError, match="data that its folder does not hold, a DataFrame in memory"):
        kexp.resume(finished.run_dir)
    assert kexp.resume(finished.run_dir, data=frame()).metrics == finished.metrics


def test_a_page_shows_data_in_memory_that_are_given_to_it(finished, tmp_path):
    with_data = finished.report(tmp_path / "with.html", data=frame()).read_text()
    without = finished.report(tmp_path / "without.html").read_text()
    assert "its probability" in with_data
    assert "its probability" not in without
    assert "the data were in memory; give them to report(data=…)" in without
    with pytest.raises(InputError, match="is not what the run was trained on"):
        finished.report(tmp_path / "other.html", data=frame().assign(a=1.0))


def test_a_run_on_data_in_memory_goes_on_with_them_and_the_callbacks(finished, tmp_path):
    run_dir = tmp_path / "run"
    with pytest.raises(ArithmeticError, match="broken off"):
        recipes.mlp_tabular(data=frame(), callbacks=[Epochs(stop=1)], run_dir=str(run_dir), **LINE)
    assert "callbacks" not in json.loads((run_dir / "config.json").read_text())["arguments"]
    with pytest.raises(InputError, match="give them again, as the argument data"):
        kexp.resume(run_dir, quiet=True)
    with pytest.raises(InputError, match="data was a DataFrame in memory"):
        kexp.resume(run_dir, data=frame()[::-1], quiet=True)
    told = Epochs()
    result = kexp.resume(run_dir, data=frame(), callbacks=[told], quiet=True)
    assert told.epochs == [1]
    for one, other in zip(result.model.get_weights(), finished.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_callbacks_of_the_call_are_told_beside_those_of_the_recipe(tmp_path):
    own = Epochs()

    @kexp.recipe(epochs=1)
    def small(data: str = "iris", **train: kexp.Unpack[kexp.TrainOptions]) -> kexp.Result:
        dataset = kexp.data.load(data, **kexp.holdout(train))
        preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
        model = kexp.models.mlp(preprocessing.output_shape[1:], dataset.spec.outputs, hidden=(4,))
        return kexp.fit(model, dataset, preprocessing=preprocessing, callbacks=[own], **train)

    given = Epochs()
    small(kexp.data.load("iris"), callbacks=(given,), run_dir=str(tmp_path / "run"), quiet=True)
    assert own.epochs == given.epochs == [0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: recipes.mlp_tabular(callbacks=Epochs()), "callbacks must be a list of Keras callbacks"),
        (lambda: recipes.mlp_tabular(callbacks=["csv"]), "received 'csv' in it"),
        (lambda: recipes.mlp_tabular(callback=[]), "no argument callback .did you mean 'callbacks'"),
        (lambda: kexp.sweep(recipes.mlp_tabular, callbacks=[Epochs()]), "callbacks must be left out here"),
        (lambda: kexp.verify.resume(recipes.mlp_tabular, callbacks=[Epochs()]), "callbacks must be left out"),
        (lambda: kexp.sweep(recipes.mlp_tabular, data=[frame(), frame()]), "give a tuple .x, y."),
        (lambda: recipes.mlp_tabular(data=3), "data must be a name, a path, or data in memory"),
        (lambda: recipes.mlp_images(data=np.zeros((9, 8, 8), "uint8")), "pass .x, y. if it is an array"),
    ],
)
def test_what_is_no_data_or_no_callback_is_said_in_one_sentence(call, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words) as refused:
        call()
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_with_callbacks_of_its_own_is_refused():
    with pytest.raises(InputError, match="must have no argument callbacks of its own"):

        @kexp.recipe()
        def mine(data: str = "iris", *, callbacks: tuple[str, ...] = (), **train) -> kexp.Result: ...


def test_a_path_is_data_and_stays_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("a,y\n1,2\n")
    assert bind(recipes.mlp_tabular, data=Path("table.csv"))["data"] == "table.csv"
    Path("iris").mkdir()  # which as a text is the name of a data set
    Path("iris", "train-images-idx3-ubyte").touch()
    assert bind(recipes.mlp_tabular, data=Path("iris"))["data"] == "./iris"
    with pytest.raises(InputError, match="there is no such data set or path"):
        bind(recipes.mlp_tabular, data=Path("absent"))

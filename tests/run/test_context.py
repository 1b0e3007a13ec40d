"""What `kexp.fit` is told of the call that it is part of: what is captured, recorded and hidden."""

from dataclasses import replace

import pytest

import kexp
from kexp import TrainOptions, Unpack, recipes
from kexp.core.errors import InputError
from kexp.run.context import capture_training, hidden_test_split, nested_run, run_context


def model_of_digits():
    return kexp.models.mlp((8, 8, 1), 10, hidden=(8,), dtype="uint8")


@kexp.recipe(epochs=1)
def forgiving(**train: Unpack[TrainOptions]) -> kexp.Result:
    """A recipe that catches every error of its training, and tries once more."""
    data = kexp.data.load("digits")
    for _ in range(2):
        try:
            return kexp.fit(model_of_digits(), data, **train)
        except Exception:
            continue
    raise RuntimeError("it did not train")


@kexp.recipe(epochs=1)
def without_fit(**train: Unpack[TrainOptions]) -> kexp.Result:
    """A recipe that trains nothing."""


@kexp.recipe(epochs=1)
def own_data(source: str = "arrays", **train: Unpack[TrainOptions]) -> kexp.Result:
    """A recipe whose data set kexp.data.load alone has not made."""
    data = kexp.data.load("digits")
    if source == "arrays":
        data = replace(data, test=data.validation)
    return kexp.fit(model_of_digits(), data, **train)


def test_a_setup_is_captured_once_although_the_recipe_catches_every_exception():
    seen = []
    assert capture_training(lambda training: seen.append(training) or "looked", forgiving) == "looked"
    assert len(seen) == 1
    assert run_context().capture is None


def test_what_the_action_raises_is_raised_although_the_recipe_catches_it():
    def refuse(training):
        raise InputError("data must be something else.")

    with pytest.raises(InputError, match="data must be something else"):
        capture_training(refuse, forgiving)


def test_a_mistake_before_fit_is_raised_and_a_recipe_without_fit_is_refused():
    with pytest.raises(InputError, match="epochs must be"):
        capture_training(lambda training: training, forgiving, epochs=0)
    with pytest.raises(InputError, match=r"without_fit must call .* returned without"):
        capture_training(lambda training: training, without_fit)


def test_a_captured_recipe_makes_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    training = capture_training(lambda training: training, recipes.mlp_images, data="digits", run_dir="run")
    assert (training.options["epochs"], list(tmp_path.iterdir())) == (96, [])


@pytest.mark.parametrize("source", ["arrays", "loaded"])
def test_a_hidden_test_split_is_not_there_whoever_made_the_data(source):
    with hidden_test_split():
        hidden = capture_training(lambda training: training, own_data, source)
    shown = capture_training(lambda training: training, own_data, source)
    assert (hidden.raw.test, hidden.data.test) == (None, None)
    assert shown.raw.test is not None
    assert hidden.raw.fingerprint == shown.raw.fingerprint


def test_a_hidden_test_split_of_series_cut_into_windows_and_of_passages_is_not_there():
    for recipe in (recipes.lstm_forecast, recipes.transformer_lm):
        with hidden_test_split():
            assert capture_training(lambda training: training.data.test, recipe) is None


def test_a_run_is_measured_on_test_data_when_it_is_repeated_and_they_are_shown(tmp_path):
    options = {"epochs": 1, "quiet": True, "run_dir": str(tmp_path / "run")}
    with hidden_test_split():
        selected = own_data(**options)
    assert "val_accuracy" in selected.metrics
    assert not any(name.startswith("test_") for name in selected.metrics)
    (tmp_path / "run" / "result.json").unlink()
    tested = own_data(**options)
    assert "test_accuracy" in tested.metrics
    assert tested.metrics["val_accuracy"] == selected.metrics["val_accuracy"]


def test_a_nested_run_is_trained_and_recorded_as_its_own_and_sees_no_hidden_test_split(tmp_path):
    def train(training):
        assert run_context().call.recipe == "mlp_images"
        with nested_run():
            assert run_context().call is None
            data = kexp.data.load("digits")
            return kexp.fit(model_of_digits(), data, epochs=1, run_dir=str(tmp_path / "own"), quiet=True)

    with hidden_test_split():
        result = capture_training(train, recipes.mlp_images, data="digits")
    assert result.provenance()["config"]["recipe"] == "fit"
    assert not any(name.startswith("test_") for name in result.metrics)

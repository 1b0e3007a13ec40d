"""Existing KerasTuner code takes a recipe as its hypermodel."""

import warnings

import pytest

import kexp
from kexp.run.inference import raw_outputs
from kexp.sweep.hypermodel import to_hypermodel
from kexp.sweep.search.oracles import keras_tuner
from tests.sweep.planted_recipes import planted


@pytest.mark.slow
def test_a_tuner_searches_a_recipe_and_gives_back_its_best_model(tmp_path):
    hypermodel = to_hypermodel(
        planted, {"fault": "none", "optimizer": ["adam", "sgd"]}, dir=tmp_path / "runs"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # KerasTuner's own
        tuner = keras_tuner().RandomSearch(
            hypermodel,
            objective="val_accuracy",
            max_trials=2,
            seed=1,
            directory=tmp_path,
            project_name="tuner",
        )
        tuner.search(verbose=0)
        best = tuner.get_best_models(1)[0]
        values = tuner.get_best_hyperparameters(1)[0].values
    assert values["optimizer"] in ("adam", "sgd")
    inputs = kexp.data.load("iris").validation.inputs
    runs = [kexp.load(folder) for folder in sorted((tmp_path / "runs").iterdir())]
    chosen = max(runs, key=lambda run: run.metrics["val_accuracy"])
    assert raw_outputs(best, inputs, 256) == pytest.approx(raw_outputs(chosen.model, inputs, 256))

"""A sweep's calls of a recipe: what a probe shows, what a trial sees, and what the winner is measured on."""

import pytest

from kexp import recipes
from kexp.core.errors import InputError
from kexp.sweep.search.fixed_list import draw
from kexp.sweep.space import space_of
from kexp.sweep.state import Completed, Failed, ProbeResult
from kexp.sweep.target_metric import TargetMetric
from kexp.sweep.trial_runner import TrialRunner
from tests.recipes.every import MAKE_SAMPLES, every_recipe, tiny
from tests.sweep.planted_recipes import planted

SHORT = {"fast_dev_run": True, "seed": 0}


def of_test_data(metrics):
    return [name for name in metrics if name.startswith("test_")]


@pytest.mark.filterwarnings("ignore:Samples have collapsed")  # two tiny epochs do not make them diverse
@pytest.mark.parametrize("name", every_recipe())
def test_every_recipe_sweeps_with_no_space_given_and_only_winners_see_test_data(name, tmp_path, digits_run):
    own = {"classifier": str(digits_run)} if name in MAKE_SAMPLES else {}
    space = space_of(getattr(recipes, name), {**SHORT, **own})
    runner = TrialRunner(getattr(recipes, name))
    runs = [
        (space.arguments(values), tmp_path / f"{number}")
        for number, values in enumerate(draw("random", space.dimensions, 0, 2))
    ]
    outcomes = [runner.run_trial(*run) for run in runs]
    assert [type(outcome) for outcome in outcomes] == [Completed, Completed], outcomes
    assert not of_test_data([*outcomes[0].metrics, *outcomes[1].metrics])
    (winner,) = runner.evaluate(runs[:1])
    assert of_test_data(winner)
    assert {name: winner[name] for name in outcomes[0].metrics} == outcomes[0].metrics


@pytest.mark.parametrize(
    ("name", "data"),
    [("lstm_forecast", {"units": (8,)}), ("transformer_lm", {"width": 32, "depth": 1})],
)
def test_the_test_split_is_hidden_whoever_made_the_data(name, data, tmp_path):
    runner = TrialRunner(getattr(recipes, name))
    outcome = runner.run_trial({**SHORT, **data}, tmp_path / "run")
    assert any(name.startswith("val_") for name in outcome.metrics)
    assert not of_test_data(outcome.metrics)
    assert of_test_data(runner.evaluate([({**SHORT, **data}, tmp_path / "run")])[0])


def test_a_probe_knows_every_metric_of_an_epoch_and_how_the_best_one_is_chosen():
    found = TrialRunner(planted).probe({**SHORT}, None)
    assert found.metrics == {"val_loss": "min", "loss": "min", "val_accuracy": "max", "accuracy": "max"}
    assert found.monitor == "val_accuracy"
    assert found.seconds > 0
    assert found.bytes > 0
    assert ProbeResult.from_json(found.to_json()) == found
    assert list(TrialRunner(planted).probe({"validation": 0.0}, None).metrics) == ["loss", "accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "objective", "mode"),
    [
        ("vae_images", "val_negative_elbo", "min"),
        ("vae_images", "val_kl", "min"),
        ("gan_images", "val_frechet_cnn_100", "min"),
        ("gan_images", "val_diversity_cnn_100", "max"),
        ("transformer_lm", "val_bits_per_character", "min"),
    ],
)
def test_any_metric_of_a_recipe_can_be_the_objective(name, objective, mode, digits_run):
    given = {**SHORT, **tiny(name, digits_run)}
    target = TargetMetric(objective)
    target.settle(TrialRunner(getattr(recipes, name)).probe(given, objective))
    assert (target.name, target.mode) == (objective, mode)


@pytest.mark.parametrize("objective", ["val_acuracy", "test_accuracy", "units"])
def test_an_objective_that_no_run_has_is_refused_with_those_there_are(objective):
    with pytest.raises(
        InputError, match="objective must be a figure of the recipe's, val_loss, loss, val_acc"
    ):
        TargetMetric(objective).settle(TrialRunner(planted).probe({**SHORT}, objective))


def test_a_mistake_in_the_arguments_is_seen_by_the_probe():
    found = TrialRunner(planted).probe({"data": "sunspots"}, None)
    assert "one long series" in found.mistake
    with pytest.raises(InputError, match="one long series"):
        TargetMetric(None).settle(found)


def test_what_is_wrong_with_a_recipe_is_left_to_its_trials(tmp_path):
    runner = TrialRunner(planted)
    assert not runner.probe({"fault": "raise"}, None).known
    outcome = runner.run_trial({"fault": "raise"}, tmp_path / "run")
    assert isinstance(outcome, Failed)
    assert "ArithmeticError: planted" in outcome.error
    assert isinstance(runner.evaluate([({"fault": "raise"}, tmp_path / "run")]), Failed)

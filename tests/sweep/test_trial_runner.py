"""A sweep's calls of a recipe: what a probe shows, what a trial sees, and what the winner is measured on."""

import pytest

from kexp import recipes
from kexp.core.errors import InputError
from kexp.sweep.space import space_of
from kexp.sweep.state import Completed, Failed, ProbeResult
from kexp.sweep.target_metric import TargetMetric
from kexp.sweep.trial_runner import TrialRunner
from tests.recipes.every import one_of_each_objective, tiny
from tests.sweep.planted_recipes import planted

SHORT = {"fast_dev_run": True, "seed": 0}


def of_test_data(metrics):
    return [name for name in metrics if name.startswith("test_")]


def smallest(recipe, arguments):
    """Return a recipe's arguments with the least of everything that a sweep of it searches by itself."""
    own = {dimension.argument for dimension in space_of(recipe).dimensions}
    space = space_of(recipe, {name: value for name, value in arguments.items() if name not in own})
    values = {dimension.name: dimension.points(2)[0] for dimension in space.dimensions}
    return space.arguments({one.name: values[one.name] for one in space.active(values)})


@pytest.mark.filterwarnings("ignore:Samples have collapsed")  # two tiny epochs do not make them diverse
@pytest.mark.parametrize("name", one_of_each_objective())
def test_a_recipe_of_every_objective_sweeps_with_no_space_given_and_only_winners_see_test_data(
    name, tmp_path, digits_run
):
    recipe = getattr(recipes, name)
    trial = (smallest(recipe, {**SHORT, **tiny(name, digits_run)}), tmp_path / "trial")
    runner = TrialRunner(recipe)
    outcome = runner.run_trial(*trial)
    assert isinstance(outcome, Completed), outcome
    assert not of_test_data(outcome.metrics)
    (winner,) = runner.evaluate([trial])
    assert of_test_data(winner)
    assert {name: winner[name] for name in outcome.metrics} == outcome.metrics


def test_a_probe_knows_every_metric_of_an_epoch_and_how_the_best_one_is_chosen():
    found = TrialRunner(planted).probe({**SHORT}, None)
    of_epochs = {"val_loss": "min", "loss": "min", "val_accuracy": "max", "accuracy": "max"}
    of_the_end = {
        "val_balanced_accuracy": "max",
        "val_macro_f1": "max",
        "val_auroc": "max",
        "val_log_loss": "min",
    }
    assert found.metrics == {**of_epochs, **of_the_end}
    assert found.monitor == "val_accuracy"
    assert found.seconds > 0
    assert found.bytes > 0
    assert ProbeResult.from_json(found.to_json()) == found
    assert list(TrialRunner(planted).probe({"validation": 0.0}, None).metrics) == ["loss", "accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "objective", "mode"),
    [
        ("vae_images", "val_kl", "min"),
        ("gan_images", "val_diversity_cnn_100", "max"),
        ("transformer_lm", "val_bits_per_character", "min"),
    ],
)
def test_any_metric_of_a_recipe_can_be_the_objective(name, objective, mode, digits_run):
    given = {**SHORT, **tiny(name, digits_run)}
    target = TargetMetric(objective)
    target.settle(TrialRunner(getattr(recipes, name)).probe(given, objective))
    assert (target.name, target.mode) == (objective, mode)


def test_an_objective_that_no_run_has_is_refused_with_those_there_are():
    found = TrialRunner(planted).probe({**SHORT}, None)
    for objective in ("val_acuracy", "test_accuracy", "units"):
        with pytest.raises(
            InputError, match="objective must be a metric of the recipe's, val_loss, loss, val_acc"
        ):
            TargetMetric(objective).settle(found)


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

"""The proof of exact resume holds for kexp's recipes, and fails for a recipe that is not repeatable."""

import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError
from kexp.recipes import mlp_images
from tests.recipes.every import tiny
from tests.verify import sequence_recipes
from tests.verify.forgetful_recipes import forgetful_callback, unseeded_order


@pytest.mark.slow
def test_a_recipe_killed_with_sigkill_ends_as_the_one_left_alone(run_kexp):
    line = (
        "verify resume cnn_images --kills 2 --epochs 2 --filters 8 --shift 0.1 --ema 0.9 --schedule plateau"
    )
    done = run_kexp(*line.split())
    assert done.returncode == 0, done.stderr
    assert "2 kills after steps" in done.stdout
    assert "identical to the run left alone" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [sequence_recipes.text, sequence_recipes.series])
def test_so_does_one_on_text_and_one_on_padded_series(recipe):
    report = kexp.verify.resume(recipe, kills=2)
    assert report.difference is None, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes.__all__)
def test_every_recipe_ends_as_if_it_had_been_left_alone(name, digits_run):
    # Every step is written to the disk: fewer of them are enough where an epoch has hundreds.
    larger = {"batch_size": 256} if name in ("seq2seq", "transformer_lm", "transformer_text") else {}
    arguments = {**tiny(name, str(digits_run)), **larger, "epochs": 2}
    report = kexp.verify.resume(getattr(recipes, name), kills=1, **arguments)
    assert report.difference is None, str(report)


@pytest.mark.slow
def test_so_does_one_killed_in_processes_that_trained_another_model_before(digits_run):
    arguments = {**tiny("diffusion_images", str(digits_run)), "epochs": 2}
    report = kexp.verify.resume(recipes.diffusion_images, kills=2, history=True, **arguments)
    assert report.difference is None, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [unseeded_order, forgetful_callback])
def test_a_recipe_that_is_not_repeatable_fails_with_the_first_difference(recipe):
    report = kexp.verify.resume(recipe, kills=1, epochs=2)
    assert report.difference is not None
    assert " instead of " in report.difference


def test_it_needs_at_least_one_kill_and_arguments_that_fit():
    with pytest.raises(InputError, match="kills must be a whole number, 1 or more; received 0"):
        kexp.verify.resume(mlp_images, kills=0)
    with pytest.raises(InputError, match="dropout must be a number"):
        kexp.verify.resume(mlp_images, dropout=2.0)
    with pytest.raises(InputError, match="checkpoint_dir must be None here"):
        kexp.verify.resume(mlp_images, checkpoint_dir="here")
    with pytest.raises(InputError, match="history must be False for several workers"):
        kexp.verify.resume(mlp_images, workers=2, history=True)

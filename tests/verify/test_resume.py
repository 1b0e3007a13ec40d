"""The proof of exact resume holds for kexp's recipes, and fails for a recipe that is not repeatable."""

import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError
from kexp.recipes import mlp_images
from tests.verify import sequence_recipes
from tests.verify.forgetful_recipes import forgetful_callback, unseeded_order
from tests.verify.killed_runs import difference_after_a_kill


@pytest.mark.slow
def test_a_recipe_killed_with_sigkill_ends_as_the_one_left_alone(run_kexp):
    line = (
        "verify resume cnn_images --kills 1 --epochs 1 --filters 8 --shift 0.1 --ema 0.9 --schedule plateau"
    )
    done = run_kexp(*line.split())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 kill after step ")
    assert "identical to the run left alone" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [sequence_recipes.text, sequence_recipes.series])
def test_so_does_one_on_text_and_one_on_padded_series(recipe, tmp_path):
    assert difference_after_a_kill(recipe, tmp_path) is None


@pytest.mark.slow
def test_so_does_one_killed_in_processes_that_trained_another_model_before():
    report = kexp.verify.resume(recipes.mlp_images, kills=1, history=True, hidden=(16,), epochs=1)
    assert report.difference is None, str(report)


@pytest.mark.slow
def test_a_recipe_that_is_not_repeatable_fails_with_the_first_difference(tmp_path):
    for recipe in (unseeded_order, forgetful_callback):
        difference = difference_after_a_kill(recipe, tmp_path / recipe.__name__, epochs=1)
        assert difference is not None
        assert " instead of " in difference


def test_it_needs_at_least_one_kill_and_arguments_that_fit():
    with pytest.raises(InputError, match="kills must be a whole number, 1 or more; received 0"):
        kexp.verify.resume(mlp_images, kills=0)
    with pytest.raises(InputError, match="dropout must be a number"):
        kexp.verify.resume(mlp_images, dropout=2.0)
    with pytest.raises(InputError, match="checkpoint_dir must be None here"):
        kexp.verify.resume(mlp_images, checkpoint_dir="here")
    with pytest.raises(InputError, match="history must be False for several workers"):
        kexp.verify.resume(mlp_images, workers=2, history=True)

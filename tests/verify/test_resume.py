"""The proof of exact resume holds for kexp's recipes, and fails for a recipe that is not repeatable."""

import importlib
import multiprocessing
import signal
import time

import pytest

import kexp
from kexp import recipes
from kexp.core.errors import InputError
from kexp.recipes import mlp_images
from kexp.train.checkpoint.checkpoint import newest_step
from kexp.verify.resume import first_difference
from tests.recipes.every import tiny
from tests.verify import sequence_recipes
from tests.verify.forgetful_recipes import forgetful_callback, unseeded_order

# Every run is a process of its own, forked from one that has imported TensorFlow but computed nothing.
RUNS = multiprocessing.get_context("forkserver")
RUNS.set_forkserver_preload(
    [
        *("kexp.models", "kexp.run.training_run", "kexp.evaluation.classifier", "sklearn.datasets"),
        *("matplotlib.backends.backend_agg", "matplotlib.pyplot", "pandas"),
    ]
)


# Those whose data has a few batches of 64 only.
SMALL = {
    *("autoencoder_anomaly", "cnn_series", "lstm_forecast", "lstm_series", "lstm_text", "mlp_tabular"),
    *("seq2seq", "transformer_lm", "transformer_series", "transformer_text", "unet_segmentation"),
}


def run(module, name, arguments):
    getattr(importlib.import_module(module), name)(**arguments)


def start(recipe, run_dir, arguments):
    whole = {"checkpoint_every": "1 steps", **arguments, "quiet": True, "run_dir": str(run_dir)}
    process = RUNS.Process(target=run, args=(recipe.__module__, recipe.__name__, whole))
    process.start()
    return process


def finish(process):
    process.join()
    assert process.exitcode == 0


def difference_after_a_kill(recipe, folder, **arguments):
    """Run a recipe once untouched and once killed halfway, and return the first difference."""
    alone, killed = folder / "alone", folder / "killed"
    finish(start(recipe, alone, arguments))
    halfway = newest_step(alone / "checkpoints") // 2
    assert halfway >= 1
    victim = start(recipe, killed, arguments)
    while newest_step(killed / "checkpoints") < halfway:
        assert victim.exitcode is None
        time.sleep(0.001)
    victim.kill()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    assert not (killed / "result.json").exists()
    finish(start(recipe, killed, arguments))
    return first_difference(alone, killed)


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
@pytest.mark.parametrize("name", recipes.__all__)
def test_every_recipe_ends_as_if_it_had_been_left_alone(name, digits_run, tmp_path):
    batch_size = 64 if name in SMALL else 256
    arguments = {**tiny(name, digits_run), "epochs": 2, "batch_size": batch_size}
    assert difference_after_a_kill(getattr(recipes, name), tmp_path, **arguments) is None


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

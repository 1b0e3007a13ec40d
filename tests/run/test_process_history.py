"""A run ends with the same bits whatever its process did before."""

import signal
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import kexp
from kexp import recipes
from tests.forked_python import forked
from tests.process_history import HISTORIES, with_history
from tests.run import small_models
from tests.run.small_models import bits, trained

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Return a function that gives the result of a model's run after no history, which tests only read."""

    @cache
    def run(build):
        with_history(0)
        return trained(getattr(small_models, build), tmp_path_factory.mktemp(build) / "run")

    return run


def test_fit_gives_the_same_bits_after_a_history(tmp_path):
    runs = []
    for number in (0, 8):
        with_history(number)
        runs.append(bits(trained(small_models.branches, tmp_path / str(number))))
    assert runs[0] == runs[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "histories"),
    [("mlp", HISTORIES[1:]), *((build, (99,)) for build in ("lstm", "gan"))],
)
def test_fit_gives_the_same_bits_after_any_history(build, histories, fresh, tmp_path):
    expected = bits(fresh(build))
    for number in histories:
        with_history(number)
        assert bits(trained(getattr(small_models, build), tmp_path / str(number))) == expected


def test_a_recipe_gives_the_same_bits_and_names_after_a_history(tmp_path):
    runs, names = [], []
    for number in (0, 99):
        with_history(number)
        run_dir = str(tmp_path / str(number))
        result = recipes.mlp_images(data="digits", epochs=1, hidden=(16,), quiet=True, run_dir=run_dir)
        runs.append(bits(result))
        names.append([layer.name for layer in result.model.layers])
    assert runs[0] == runs[1]
    assert names[0] == names[1]


@pytest.mark.slow
def test_a_run_killed_after_a_history_goes_on_in_a_fresh_process_to_the_same_bits(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "tests.run.killed_run", *map(str, arguments)]
        return forked.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)

    assert run(0, tmp_path / "alone").returncode == 0
    killed = run(95, tmp_path / "killed", 3)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert run(0, tmp_path / "killed").returncode == 0
    alone, resumed = (kexp.load(tmp_path / name) for name in ("alone", "killed"))
    assert bits(alone) == bits(resumed)


@pytest.mark.slow
def test_samples_and_measurements_do_not_depend_on_the_history(fresh):
    images, result = fresh("diffusion"), fresh("mlp")
    samples, measured = [], []
    for number in (0, 99):
        with_history(number)
        samples.append(kexp.load(images.run_dir).sample(4, seed=2))
        measured.append(kexp.load(result.run_dir).evaluate(small_models.table()))
    assert all(np.array_equal(sample, samples[0]) for sample in samples)
    assert all(one == measured[0] for one in measured)

"""A run whose batches do not fit into memory goes on with smaller ones that make the same step."""

import json
import os
import sys
from pathlib import Path

import pytest

import kexp
from kexp.core.errors import InputError
from tests.forked_python import forked
from tests.train.iris_runs import assert_same, train, weights

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_batches_are_halved_when_memory_really_runs_out_and_the_step_stays_as_large(tmp_path):
    # A process of its own, whose memory is limited by the system.
    done = forked.run(
        [sys.executable, "-m", "tests.engine.tensorflow.hungry_run", str(tmp_path / "run")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert len(outcome["said"]) >= 1
    assert all("that it sees 64 as before" in sentence for sentence in outcome["said"])
    # The first loss of 64 samples, whatever the batches: it is measured before the step.
    assert outcome["loss"] == [pytest.approx(2.391, abs=1e-2)]


def test_where_memory_suffices_auto_is_the_default_size(iris, tmp_path):
    auto = train(iris, tmp_path / "auto", batch_size="auto")
    given = train(iris, tmp_path / "given", batch_size=64)
    assert_same(weights(auto), weights(given))


def test_a_recipe_cannot_have_auto_as_its_default():
    with pytest.raises(InputError, match="batch_size of a recipe must by default be a number"):
        kexp.recipe(batch_size="auto")

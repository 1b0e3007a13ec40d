"""Four replicas compute what one device computes, to the rounding of float32."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kexp
from kexp.errors import InputError
from tests.train import replicated_runs

ROOT = Path(__file__).resolve().parents[2]
# float16 rounds the activations of a sample alike wherever it is computed, but sums of them in another order.
TOLERANCES = {"float16": 2e-3}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    return {name: replicated_runs.train(name, folder, "auto") for name in replicated_runs.CASES}


@pytest.mark.slow
def test_replicas_with_uneven_batches_clipping_accumulation_ema_and_float16_equal_one_device(alone, tmp_path):
    # A process of its own: strategies of different size in one process clash.
    command = [sys.executable, "-m", "tests.train.replicated_runs", "4", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    runs = [*alone, *(f"static-{name}" for name in replicated_runs.STATIC)]
    for name in runs:
        expected = alone[name.removeprefix("static-")]
        with np.load(tmp_path / f"{name}.npz") as stored:
            assert set(stored.files) == set(expected)
            for part in stored.files:
                np.testing.assert_allclose(
                    stored[part], expected[part], atol=TOLERANCES.get(name, 1e-5), err_msg=f"{name}: {part}"
                )


def test_a_model_from_outside_the_scope_of_its_strategy_is_refused(tmp_path):
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(4,), dtype="uint8")
    data = kexp.data.load("digits")
    with pytest.raises(InputError, match=r"build it and call fit inside `with kexp.scope\('mirrored'\):`"):
        kexp.fit(model, data, strategy="mirrored", epochs=1, run_dir=str(tmp_path / "run"))
    with kexp.scope("mirrored"), pytest.raises(InputError, match="model must be built in the scope"):
        kexp.fit(model, data, strategy="mirrored", epochs=1, run_dir=str(tmp_path / "run"))

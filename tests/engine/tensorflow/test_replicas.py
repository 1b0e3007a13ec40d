"""Two replicas compute what one device computes, to the rounding of float32."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from tests.engine.tensorflow import replicated_runs
from tests.forked_python import forked

ROOT = Path(__file__).resolve().parents[3]
# float16 rounds the activations of a sample alike wherever it is computed, but sums of them in another order.
TOLERANCES = {"float16": 2e-3}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    runs = {name: replicated_runs.train(name, folder, "auto") for name in replicated_runs.CASES}
    recipe, arguments = replicated_runs.SCALED
    whole = (recipe, {**arguments, **replicated_runs.WHOLE})
    return {**runs, "scaled": replicated_runs.train("scaled", folder, "auto", whole)}


@pytest.fixture(scope="module")
def replicated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicated")
    # A process of its own: strategies of different size in one process clash.
    command = [sys.executable, "-m", "tests.engine.tensorflow.replicated_runs", "2", str(folder)]
    done = forked.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {path.stem: dict(np.load(path)) for path in folder.glob("*.npz")}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_replicas_with_uneven_batches_clipping_accumulation_ema_and_float16_equal_one_device(
    alone, replicated
):
    static = [f"static-{name}" for name in replicated_runs.STATIC]
    compiled = [f"compiled-{name}" for name in replicated_runs.COMPILED]
    for name in [*alone, *static, *compiled]:
        plain = name.removeprefix("static-").removeprefix("compiled-")
        expected, found = alone[plain], replicated[name]
        assert set(found) == set(expected)
        for part, array in found.items():
            np.testing.assert_allclose(
                array, expected[part], atol=TOLERANCES.get(plain, 1e-5), err_msg=f"{name}: {part}"
            )


@pytest.mark.slow
def test_replicas_with_statistics_of_their_own_train_to_something_else(alone, replicated):
    apart, together = replicated["apart"], alone["scaled"]
    assert all(np.isfinite(array).all() for array in apart.values())
    assert max(np.abs(apart[part] - together[part]).max() for part in together) > 1e-3


def test_a_model_from_outside_the_scope_of_its_strategy_is_refused(tmp_path):
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(4,), dtype="uint8")
    data = kexp.data.load("digits")
    with pytest.raises(InputError, match=r"build it and call fit inside `with kexp.scope\('mirrored'\):`"):
        kexp.fit(model, data, strategy="mirrored", epochs=1, run_dir=str(tmp_path / "run"))
    with kexp.scope("mirrored"), pytest.raises(InputError, match="model must be built in the scope"):
        kexp.fit(model, data, strategy="mirrored", epochs=1, run_dir=str(tmp_path / "run"))

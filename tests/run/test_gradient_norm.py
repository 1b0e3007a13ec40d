"""The gradient norm of each epoch: what it is, of whom, and that it is kept where a run goes on."""

import keras
import numpy as np
import pytest

import kexp
from kexp.engine.base import NORM_STATE
from kexp.run.pace_lines import pace_curves
from tests.api.small_fits import Cut
from tests.train.test_players import ROWS, digits, engine_of, gan  # noqa: F401

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(24, 3)).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]]) + 0.1 * RANDOM.normal(size=(24, 1))).astype("float32")


def fit(folder, *callbacks, **options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    options = {"batch_size": 8, "epochs": 3, "quiet": True, **options}
    return kexp.fit(model, X, Y, callbacks=callbacks, run_dir=str(folder), **options)


def norms(folder, epochs=3):
    return pace_curves(folder, epochs).get("gradient_norm")


def test_it_is_that_of_whole_steps_before_they_are_clipped(tmp_path):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    options = {"optimizer": "sgd", "learning_rate": 0.1, "clip_norm": 0.5, "validation": 0.0, "quiet": True}
    kexp.fit(model, X, Y, epochs=3, batch_size=24, accumulate=1, **options, run_dir=str(tmp_path))
    weights, expected = np.zeros((3, 1)), []
    for _epoch in range(3):
        gradient = 2 / 24 * X.T @ (X @ weights - Y)
        expected.append(np.linalg.norm(gradient))
        weights -= 0.1 * gradient * min(1.0, 0.5 / expected[-1])
    assert expected[0] > 1.0
    assert norms(tmp_path) == pytest.approx(expected, rel=1e-5)


class CutAtTheEnd(keras.callbacks.Callback):
    """Ends a run when an epoch ends, whose last step a checkpoint already has."""

    def on_epoch_end(self, epoch, logs=None):
        raise SystemExit("cut")


def test_a_run_that_was_stopped_and_went_on_has_the_norms_of_one_that_was_not(tmp_path):
    fit(tmp_path / "whole")
    line = {"checkpoint_every": "1 step"}
    for stopped in (Cut(after=2), CutAtTheEnd()):
        with pytest.raises(SystemExit):
            fit(tmp_path / "cut", stopped, **line)
    assert max((tmp_path / "cut" / "checkpoints").glob("*.npz")).name == "step-000000003.npz"
    fit(tmp_path / "cut", **line)
    whole = norms(tmp_path / "whole")
    assert np.isfinite(whole).all()
    assert norms(tmp_path / "cut") == whole


def test_of_players_each_has_its_own_over_its_turns_unless_the_state_is_of_an_earlier_version(digits):  # noqa: F811
    objective = kexp.objectives.adversarial("wasserstein", gradient_penalty=0.0, critic_steps=3)
    engine = engine_of(gan("layer"), digits, objective)
    start = engine.read_state()
    engine.reset_metrics()
    engine.run(ROWS, 4)
    together = engine.gradient_norms()
    engine.restore_state(start)
    alone = {"discriminator": [], "generator": []}
    for row in ROWS:
        engine.reset_metrics()
        engine.run(row[None], 4)
        for player, norm in engine.gradient_norms().items():
            alone[player].append(norm)
    assert [len(values) for values in alone.values()] == [6, 2]
    means = {player: np.mean(values) for player, values in alone.items()}
    assert together == pytest.approx(means, rel=1e-5)
    engine.restore_state({name: array for name, array in start.items() if not name.startswith(NORM_STATE)})
    engine.run(ROWS, 4)
    assert engine.gradient_norms() == {}
    engine.reset_metrics()
    engine.run(ROWS[:3], 4)
    assert set(engine.gradient_norms()) == {"discriminator", "generator"}

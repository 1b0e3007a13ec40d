"""A step that goes wrong ends a run with its place and samples, or is passed over; no good state is lost."""

import dataclasses

import keras
import numpy as np
import pytest

import kexp
from kexp.data.order import epoch_order
from kexp.train.checkpoint.checkpoint import load_latest
from tests.train.iris_runs import BATCH, Cut, CutAfter, assert_same, train, weights


def poisoned(data, sample, value):
    """Return data one of whose training samples has `value` in place of a length."""
    columns = {name: column.copy() for name, column in data.train.inputs.items()}
    columns[next(iter(columns))][sample] = value
    return dataclasses.replace(data, train=kexp.data.Split(columns, data.train.targets))


def plain_mlp(data, run_dir, activation="relu", **options):
    """Train without preprocessing, which would take a missing number for the mean."""
    keras.utils.set_random_seed(7)
    inputs = {name: keras.Input((), name=name) for name in data.train.inputs}
    stacked = keras.ops.stack(list(inputs.values()), axis=-1)
    hidden = keras.layers.Dense(8, activation)(stacked)
    model = keras.Model(inputs, keras.layers.Dense(3)(hidden))
    options = {"epochs": 3, "batch_size": BATCH, "learning_rate": 0.01, "seed": 3, "quiet": True, **options}
    return kexp.fit(model, data, run_dir=str(run_dir), **options)


def step_of(sample, samples, epoch=0):
    return int(np.flatnonzero(epoch_order(samples, 3, epoch) == sample)[0]) // BATCH


@pytest.fixture(scope="module")
def sample(iris):
    """Return a sample that the first epoch visits in its last step."""
    return int(epoch_order(len(iris.train), 3, 0)[-1])


def test_a_nan_stops_the_run_with_step_samples_and_values_and_the_last_good_checkpoint(
    iris, sample, tmp_path
):
    data = poisoned(iris, sample, np.nan)
    with pytest.raises(kexp.TrainingDiverged, match="loss nan") as raised:
        # A relu makes 0 of NaN on some processors.
        plain_mlp(data, tmp_path / "run", activation="tanh", checkpoint_every="1 steps")
    error = raised.value
    assert error.step == step_of(sample, len(data.train)) == 1
    assert sample in error.samples
    assert np.isnan(error.loss)
    assert f"inputs or targets of sample {sample} are not finite" in str(error)
    kept = load_latest(tmp_path / "run" / "checkpoints")
    assert kept.position["step"] == error.step
    assert all(np.isfinite(array).all() for array in kept.arrays.values())


def test_an_infinite_gradient_is_noticed_in_its_own_step_though_the_loss_is_finite(tmp_path):
    @keras.saving.register_keras_serializable(package="tests")
    class Cliff(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.sqrt(keras.ops.sum(0.0 * y_pred, axis=-1))  # at 0, where its slope is infinite

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    digits = kexp.data.load("digits")
    with pytest.raises(kexp.TrainingDiverged, match="gradient norm nan") as raised:
        kexp.fit(model, digits, loss=Cliff(), epochs=1, quiet=True, run_dir=str(tmp_path / "run"))
    assert raised.value.step == 0
    assert raised.value.loss == 0.0


def test_rollback_goes_back_passes_the_step_over_and_halves_the_learning_rate(iris, sample, tmp_path):
    data = poisoned(iris, sample, np.nan)
    options = {"on_nan": "rollback", "epochs": 1, "validation": 0.2}
    with pytest.warns(RuntimeWarning, match="Went back to step 0 with half the learning rate; step 1 will"):
        result = plain_mlp(data, tmp_path / "run", **options)
    position = load_latest(tmp_path / "run" / "checkpoints").position
    assert position["skipped"] == [1]
    assert position["rollbacks"] == 1
    # The same as the other step alone at half the rate.
    order = epoch_order(len(data.train), 3, 0)[:BATCH]
    alone = dataclasses.replace(
        iris,
        train=kexp.data.Split(
            {name: column[np.sort(order)] for name, column in iris.train.inputs.items()},
            iris.train.targets[np.sort(order)],
        ),
    )
    expected = plain_mlp(alone, tmp_path / "expected", epochs=1, learning_rate=0.005)
    for one, other in zip(weights(result), weights(expected), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Training went wrong:RuntimeWarning")
def test_rollback_gives_up_after_three_and_is_itself_continued_exactly(iris, sample, tmp_path):
    data = poisoned(iris, sample, np.inf)  # comes up once in every epoch
    options = {"on_nan": "rollback", "checkpoint_every": "1 steps"}
    alone = plain_mlp(data, tmp_path / "alone", **options, epochs=3)
    with pytest.raises(Cut):
        plain_mlp_with_cut(data, tmp_path / "cut", **options, epochs=3)
    continued = plain_mlp(data, tmp_path / "cut", **options, epochs=3)
    assert continued.history == alone.history
    assert_same(weights(continued), weights(alone))
    with pytest.raises(kexp.TrainingDiverged) as raised:
        plain_mlp(data, tmp_path / "long", **options, epochs=4)
    assert raised.value.epoch == 4


def plain_mlp_with_cut(data, run_dir, **options):
    return plain_mlp(data, run_dir, callbacks=[CutAfter(2)], **options)


def test_a_loss_far_above_the_recent_ones_is_a_spike(iris, sample, tmp_path):
    data = poisoned(iris, sample, -1e6)
    with pytest.raises(kexp.TrainingDiverged) as raised:
        plain_mlp(data, tmp_path / "run", spike=50.0)
    assert raised.value.step == step_of(sample, len(data.train))
    assert 1e3 < raised.value.loss < np.inf
    plain_mlp(data, tmp_path / "calm", spike=None, epochs=1)


@pytest.mark.slow
def test_the_command_line_says_it_in_one_sentence_and_exits_with_1(run_kexp, tmp_path):
    rows = ["a,b,y", *(f"{number},{number % 3},{number * 0.5}" for number in range(80)), "1,1,1e38"]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    done = run_kexp(
        "run",
        "mlp_tabular",
        "--data",
        tmp_path / "t.csv",
        "--target",
        "y",
        "--task",
        "regression",
        "--run-dir",
        tmp_path / "run",
        "--learning-rate",
        10,
        "--epochs",
        3,
        "--quiet",
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("kexp: Training went wrong in step")
    assert "Traceback" not in done.stderr


def test_a_few_batches_can_be_learned_by_heart(iris, tmp_path):
    result = train(iris, tmp_path / "run", overfit_batches=1, epochs=60, learning_rate=0.1)
    assert result.metrics["val_accuracy"] == 1.0
    assert result.history["val_loss"][-1] < 0.1

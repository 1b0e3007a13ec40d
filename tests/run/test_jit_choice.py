"""Steps compiled by XLA: the same numbers, chosen as it is said, and gone on with as they began."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError, TrainingDiverged
from kexp.run import jit_choice
from tests.train.iris_runs import Cut, CutAfter, assert_same, train, weights


@pytest.fixture(scope="module")
def iris():
    return kexp.data.load("iris", validation=0.2)


@keras.saving.register_keras_serializable(package="tests")
class ByText(keras.layers.Layer):
    """Writes its inputs as text and reads them, which no program of XLA's can."""

    def call(self, inputs):
        read = tf.strings.to_number(tf.strings.as_string(tf.stop_gradient(inputs)))
        return inputs + tf.reshape(read, tf.shape(inputs)) * 0


@keras.saving.register_keras_serializable(package="tests")
class Traced(keras.layers.Layer):
    """Counts how often a graph is made of it for training."""

    times = 0

    def call(self, inputs, training=False):
        type(self).times += bool(training) and not tf.executing_eagerly()
        return inputs


@pytest.fixture
def long_runs(monkeypatch, tmp_path):
    """Have short runs count as long ones, and return where times are remembered."""
    monkeypatch.setenv("KEXP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(jit_choice, "LONG_RUN_STEPS", 1)
    monkeypatch.setattr(jit_choice, "LONG_RUN_S", 0.0)
    return tmp_path / "cache" / "jit"


def recorded(result):
    environment = json.loads((result.run_dir / "env.json").read_text())
    return environment["computation"]["jit"], environment["jit"]


# 96 training samples: the last of three steps has fewer, and with accumulate=2 the last of two.
CASES = {
    "dropout": {"dropout": 0.3, "batch_size": 40},
    "limited": {"dropout": 0.3, "batch_size": 30, "accumulate": 2, "clip_norm": 0.5, "optimizer": "adamw"},
    "averaged": {"batch_size": 48, "ema": 0.9, "normalization": "batch", "optimizer": "momentum"},
    "schedule": {"batch_size": 48, "schedule": "one_cycle", "precision": "bfloat16", "optimizer": "lion"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_compiled_steps_train_to_the_weights_of_plain_ones(name, iris, tmp_path):
    runs = [train(iris, tmp_path / jit, jit=jit, **CASES[name]) for jit in ("on", "off")]
    assert [recorded(run) for run in runs] == [(True, "jit is on"), (False, "jit is off")]
    tolerance = 2e-2 if "precision" in CASES[name] else 1e-5
    for compiled, plain in zip(*map(weights, runs), strict=True):
        np.testing.assert_allclose(compiled, plain, atol=tolerance)
    assert runs[0].history["loss"] == pytest.approx(runs[1].history["loss"], rel=tolerance)


def test_a_run_of_compiled_steps_that_is_cut_goes_on_to_the_same_bits_and_others_as_they_began(
    iris, tmp_path
):
    options = {"jit": "on", "dropout": 0.3, "checkpoint_every": "2 steps", "batch_size": 40}
    alone = train(iris, tmp_path / "alone", **options)
    with pytest.raises(Cut):
        train(iris, tmp_path / "cut", [CutAfter(5)], **options)
    assert_same(weights(train(iris, tmp_path / "cut", **options)), weights(alone))


def test_what_is_compiled_to_find_out_whether_it_can_be_is_what_trains(tmp_path):
    digits = kexp.data.load("digits")
    for jit in ("on", "off"):
        Traced.times = 0
        layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), Traced(), keras.layers.Dense(10)]
        model = keras.Sequential([keras.Input((8, 8, 1), dtype="uint8"), *layers])
        # All steps have as many samples.
        options = {"batch_size": len(digits.train) // 5, "overfit_batches": 5, "epochs": 2, "quiet": True}
        result = kexp.fit(model, digits, jit=jit, run_dir=str(tmp_path / jit), **options)
        assert recorded(result)[0] == (jit == "on")
        assert Traced.times == 1, jit


def test_a_run_goes_on_without_xla_where_it_began_so(iris, tmp_path, long_runs, monkeypatch):
    options = {"checkpoint_every": "1 epoch", "dropout": 0.3}
    monkeypatch.setattr(jit_choice.StepTimes, "saved_s", lambda self, steps: -1.0)
    alone = train(iris, tmp_path / "alone", **options)
    with pytest.raises(Cut):
        train(iris, tmp_path / "cut", [CutAfter(5)], **options)
    monkeypatch.setattr(jit_choice.StepTimes, "saved_s", lambda self, steps: 1.0)
    assert_same(weights(train(iris, tmp_path / "cut", **options)), weights(alone))
    assert recorded(train(iris, tmp_path / "new", **options))[0] is True


def test_what_xla_cannot_compile_is_named_and_trains_without(tmp_path, capsys):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), ByText(), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input((8, 8, 1), dtype="uint8"), *layers])
    run_dir = str(tmp_path / "run")
    result = kexp.fit(model, kexp.data.load("digits"), jit="on", epochs=1, run_dir=run_dir)
    line = "steps are not compiled by XLA: jit is on, but XLA has no operation AsString"
    assert line in capsys.readouterr().out.splitlines()
    assert recorded(result) == (False, "jit is on, but XLA has no operation AsString")


def test_so_do_batches_that_come_one_by_one(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(64, 4)).astype("float32"), np.zeros(64, "int32")
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    result = kexp.fit(model, batches, jit="on", epochs=1, quiet=True, run_dir=str(tmp_path / "run"))
    assert recorded(result) == (False, "jit is on, but batches come one by one from outside")


def test_the_faster_way_is_taken_and_remembered(iris, tmp_path, long_runs):
    first = train(iris, tmp_path / "first", dropout=0.3)
    (path,) = long_runs.glob("*.json")
    times = json.loads(path.read_text())
    assert set(times) == {"plain_s", "jit_s", "compile_s"}
    assert all(value > 0 for value in times.values())
    assert recorded(first) == (False, "it is not faster on this CPU")  # 12 steps do not repay it
    path.write_text(json.dumps({**times, "plain_s": 100.0}))
    second = train(iris, tmp_path / "second", dropout=0.3)
    jit, reason = recorded(second)
    assert jit
    assert reason.startswith("it saves ")
    path.write_text("damaged")
    train(iris, tmp_path / "third", dropout=0.3)
    assert set(json.loads(path.read_text())) == set(times)
    train(iris, tmp_path / "other", dropout=0.3, batch_size=25)
    assert len(list(long_runs.glob("*.json"))) == 2


def test_timing_steps_changes_nothing_of_a_run(iris, tmp_path, long_runs):
    timed = train(iris, tmp_path / "timed", dropout=0.3)
    assert list(long_runs.glob("*.json"))
    assert_same(weights(timed), weights(train(iris, tmp_path / "off", dropout=0.3, jit="off")))


def test_a_model_with_convolutions_is_not_timed(tmp_path, long_runs):
    digits = kexp.data.load("digits")
    model = kexp.models.cnn((8, 8, 1), 10, filters=(4,), dtype="uint8")
    run = kexp.fit(model, digits, epochs=1, quiet=True, run_dir=str(tmp_path / "cnn"))
    assert recorded(run) == (False, "on a CPU it has slow convolutions")
    assert not long_runs.exists()


def test_a_loss_that_is_no_number_stops_compiled_steps_too(iris, tmp_path):
    with pytest.raises(TrainingDiverged, match="step"):
        train(iris, tmp_path / "run", jit="on", learning_rate=10.0, optimizer="sgd", spike=1.1, epochs=50)


def test_a_choice_that_there_is_not_is_refused(iris, tmp_path):
    with pytest.raises(InputError, match="jit must be"):
        train(iris, tmp_path / "run", jit="yes")

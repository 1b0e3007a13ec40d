"""`kexp.profile` says where a step's time goes, and changes nothing."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp import recipes
from kexp.engine.engine_choice import backend
from kexp.evaluation import profiler
from kexp.evaluation.step_profile import StepProfile
from kexp.run.context import capture_training
from kexp.run.dry_run import dry_run
from tests.recipes.every import tiny

PARTS = ["input", "forward", "backward", "update", "metrics", "host"]


@pytest.fixture
def of_the_processor(monkeypatch):
    """Measure seconds of the processor: what else runs on the machine does not count."""
    monkeypatch.setattr(profiler, "time", SimpleNamespace(perf_counter=time.process_time))


@pytest.fixture
def quickly(of_the_processor, monkeypatch):
    """Measure less often than it takes for figures to be read."""
    for name, value in {
        "_PARTS_S": 0.5,
        "_CALLS": 2,
        "_CALL_S": 0.02,
        "_LOOP_S": 0.2,
        "_EPOCH_S": 0.1,
    }.items():
        monkeypatch.setattr(profiler, name, value)


@pytest.mark.parametrize(
    ("recipe", "arguments"),
    [
        ("mlp_images", {"batch_size": 16, "accumulate": 3}),
        ("lstm_series", {"optimizer": "lion"}),
        pytest.param("gan_images", {"loss": "wasserstein", "critic_steps": 2}, marks=pytest.mark.slow),
        pytest.param("transformer_text", {"ema": 0.9}, marks=pytest.mark.slow),
        pytest.param("diffusion_images", {"precision": "bfloat16"}, marks=pytest.mark.slow),
        pytest.param("seq2seq", {"schedule": "plateau"}, marks=pytest.mark.slow),
    ],
)
def test_recipes_of_every_family_have_a_profile(
    recipe, arguments, quickly, digits_run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    small = tiny(recipe, digits_run)
    found = kexp.profile(getattr(recipes, recipe), quiet=True, **{**small, **arguments})
    assert list(found.parts_s) == PARTS
    assert all(seconds >= 0 for seconds in found.parts_s.values())
    assert found.parts_s["forward"] > 0
    assert sum(found.shares.values()) == pytest.approx(1)
    assert 0.4 < sum(found.parts_s.values()) / found.step_s < 2.5  # which is measured apart from its parts
    assert found.first_step_s > found.step_s
    assert found.flops > 0
    assert found.not_counted == ()
    assert found.peak_flops_per_s > 1e8
    assert found.parameters >= found.trainable_parameters > 0
    assert 1e7 < found.peak_resident_bytes < 1e12
    assert found.fused_update == (recipe != "lstm_series")
    for words in ("GFLOP/s", "trained", "the arithmetic that a large matrix product does", *PARTS):
        assert words in str(found)
    assert not list(tmp_path.iterdir())
    assert not list(Path(tempfile.gettempdir()).glob("kexp-profile-*"))


def digits_model(*layers):
    return keras.Sequential([keras.Input((8, 8, 1)), *layers])


def profiled(model, **arguments):
    return kexp.profile(kexp.fit, model, kexp.data.load("digits"), batch_size=32, quiet=True, **arguments)


def test_nothing_of_the_model_is_changed(quickly):
    layers = [keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(10)]
    model = digits_model(*layers)
    before = [np.copy(weight) for weight in model.get_weights()]
    profiled(model)
    for weight, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def flops_of(model):
    def counted(training):
        with dry_run(training) as engine:
            return backend().step_flops(engine, np.arange(32, dtype=np.int32)[None], 32)

    data = kexp.data.load("digits")
    found = capture_training(counted, kexp.fit, model, data, batch_size=32, quiet=True)
    assert found.not_counted == ()
    return found.operations


def test_arithmetic_is_that_of_products_and_convolutions():
    layers = keras.layers
    two, batch = 2, 32  # a multiplication and an addition
    dense = digits_model(layers.Flatten(), layers.Dense(24, "relu"), layers.Dense(10))
    # Forward and for the weights' gradients; the first layer's input needs none.
    products = batch * two * (2 * 64 * 24 + 3 * 24 * 10)
    assert flops_of(dense) == products
    einsum = layers.EinsumDense("ab,bc->ac", 24)
    assert flops_of(digits_model(layers.Flatten(), einsum, layers.Dense(10))) == products
    convolution = digits_model(
        layers.Conv2D(6, 3, padding="same"), layers.GlobalAveragePooling2D(), layers.Dense(10)
    )
    assert flops_of(convolution) == batch * two * (2 * 64 * 9 * 6 + 3 * 6 * 10)
    depthwise = digits_model(
        layers.DepthwiseConv2D(3, padding="same"), layers.GlobalAveragePooling2D(), layers.Dense(10)
    )
    assert flops_of(depthwise) == batch * two * (2 * 64 * 9 + 3 * 10)
    # Eight steps of eight numbers: what the loop's body computes counts at each of them.
    recurrent = digits_model(layers.Reshape((8, 8)), layers.LSTM(5), layers.Dense(10))
    forward = batch * two * (8 * (8 + 5) * 4 * 5 + 5 * 10)
    assert 2 * forward < flops_of(recurrent) <= 3 * forward


def test_arithmetic_of_products_is_what_tensorflows_profiler_counts():
    model = digits_model(keras.layers.Flatten(), keras.layers.Dense(24, "relu"), keras.layers.Dense(10))

    @tf.function(input_signature=[tf.TensorSpec([32, 8, 8, 1]), tf.TensorSpec([32], tf.int32)])
    def gradients(images, labels):
        with tf.GradientTape() as tape:
            losses = keras.losses.sparse_categorical_crossentropy(labels, model(images), from_logits=True)
        return tape.gradient(losses, model.trainable_weights)

    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"], options["account_type_regexes"] = "none", ["MatMul"]
    counted = tf.compat.v1.profiler.profile(
        gradients.get_concrete_function().graph, cmd="op", options=options
    )
    assert flops_of(model) == sum(kind.float_ops for kind in tree(counted) if kind.name == "MatMul")


def tree(node):
    return [one for child in node.children for one in (child, *tree(child))][:1000]


def test_what_takes_long_is_where_it_is(quickly):
    """An augmentation that computes, an update of many weights, and metrics that sort are found."""

    class Slow(keras.layers.Layer):
        def call(self, images):
            square = keras.ops.ones((600, 600)) * keras.ops.mean(images)
            return images + 1e-9 * keras.ops.mean(square @ square @ square)

    found = profiled(digits_model(keras.layers.Flatten(), keras.layers.Dense(10)), augmentation=[Slow()])
    assert found.shares["input"] > 0.5
    assert "augment less" in found.advice
    wide = [keras.layers.Embedding(300_000, 8), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(10)]
    found = profiled(digits_model(keras.layers.Flatten(), *wide), optimizer="lion")
    assert found.shares["update"] > 0.5
    assert "makes fewer of them; sgd, momentum, adam and adamw update" in found.advice


class Watching(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise AssertionError("a callback that may write was called")


def test_callbacks_of_ones_own_are_left_out_and_named(quickly):
    model = digits_model(keras.layers.Flatten(), keras.layers.Dense(10))
    found = profiled(model, callbacks=[Watching()])
    assert "without Watching" in str(found)


def test_batches_of_a_dataset_are_read_and_said_to_be_made_ahead(quickly):
    data = kexp.data.load("digits")
    dataset = tf.data.Dataset.from_tensor_slices((data.train.inputs, data.train.targets))
    stream = kexp.data.stream(dataset, data, epoch_samples=320)
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(16,), dtype="uint8")
    found = kexp.profile(kexp.fit, model, stream, batch_size=32, quiet=True)
    assert found.parts_s["input"] > 0
    assert found.flops == 32 * 2 * (2 * 64 * 16 + 3 * 16 * 10)
    assert "batches are made ahead" in str(found)


def test_a_step_of_the_models_own_is_one_part(quickly):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(10)

        def call(self, images):
            return self.dense(keras.ops.reshape(keras.ops.cast(images, "float32"), (-1, 64)))

        def train_step(self, batch):
            images, labels = batch
            with tf.GradientTape() as tape:
                loss = self.compute_loss(images, labels, self(images, training=True))
            weights = self.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return {"loss": loss}

    model = Own()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, labels = np.zeros((64, 8, 8), "float32"), np.arange(64) % 10
    found = kexp.profile(kexp.fit, model, images, labels, batch_size=32, quiet=True)
    assert list(found.parts_s) == ["input", "train_step", "host"]
    assert found.flops is None
    assert "GFLOP/s" not in str(found)


def test_a_model_that_is_run_eagerly_is_refused():
    model = digits_model(keras.layers.Flatten(), keras.layers.Dense(10))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    with pytest.raises(kexp.InputError, match="run_eagerly"):
        kexp.profile(kexp.fit, model, np.zeros((64, 8, 8), "float32"), np.arange(64) % 10, quiet=True)


ONE = StepProfile(
    title="mlp on digits",
    batch_size=64,
    accumulate=1,
    parts_s={"input": 1e-3, "forward": 4e-3, "backward": 4e-3, "update": 5e-4, "metrics": 0.0, "host": 5e-4},
    step_s=0.01,
    steps_per_call=20.0,
    first_step_s=1.0,
    parameters=10,
    trainable_parameters=10,
    peak_resident_bytes=500_000_000,
    device_peak_bytes=2_000_000_000,
    optimizer="Adam",
    fused_update=True,
    flops=20_000_000,
    not_counted=("FFT",),
    peak_flops_per_s=1e11,
)


@pytest.mark.parametrize(
    ("parts_s", "flops", "words"),
    [
        ({}, 20_000_000, "The model itself takes 80% of a step; the rest is small. It does 0.02 of"),
        ({"host": 0.09}, 20_000_000, "Python takes 90% of a step, 20 steps to a call: a larger batch_size"),
        ({"input": 0.1}, 20_000_000, "augment less"),
        ({"update": 0.1}, 20_000_000, "a larger batch_size, or accumulate, makes fewer of them."),
        ({"metrics": 0.1}, 20_000_000, "leave out those that nobody reads"),
        ({}, 600_000_000, "a faster device"),
        ({}, 200_000_000, "It does 0.2 of the arithmetic that a large matrix product does here."),
    ],
)
def test_the_advice_follows_from_the_figures(parts_s, flops, words):
    found = replace(ONE, parts_s={**ONE.parts_s, **parts_s}, flops=flops)
    assert words in found.advice
    assert found.advice in str(found)


def test_what_was_not_counted_and_the_memory_of_a_gpu_are_said():
    assert "not counted FFT" in str(ONE)
    assert "500 MB resident" in str(ONE)
    assert "2,000 MB on the GPU" in str(ONE)
    assert ONE.flops_per_s == 2e9
    assert ONE.utilization == 0.02


@pytest.mark.slow
def test_parts_add_up_to_a_step_of_the_loop(of_the_processor):
    for recipe in (recipes.mlp_images, recipes.lstm_series):  # many short steps, and few long ones
        found = kexp.profile(recipe, quiet=True)
        assert 0.75 < sum(found.parts_s.values()) / found.step_s < 1.33

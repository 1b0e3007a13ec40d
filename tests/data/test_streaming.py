"""A stream is trained on batch by batch, and goes on with the very sample that was next."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
from tests.train.iris_runs import Cut, CutAfter, assert_same, weights

OPTIONS = {"epochs": 3, "batch_size": 64, "checkpoint_every": "1 steps", "quiet": True}


@pytest.fixture(scope="module")
def digits():
    return kexp.data.load("digits")


def samples(data):
    return tf.data.Dataset.from_tensor_slices((data.train.inputs, data.train.targets))


def fit(data, run_dir, **options):
    keras.utils.set_random_seed(0)
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(16,), dropout=0.2, dtype="uint8")
    return kexp.fit(model, data, run_dir=str(run_dir), **{**OPTIONS, **options})


@pytest.mark.parametrize(
    "options",
    [{}, pytest.param({"batch_size": 16, "accumulate": 4, "ema": 0.9}, marks=pytest.mark.slow)],
    ids=["plain", "4x16"],
)
def test_a_shuffled_and_augmented_stream_goes_on_exactly_after_a_cut(digits, tmp_path, options):
    def noisy(sample, number):
        seed = tf.stack([number, 0])
        noise = tf.random.stateless_uniform(tf.shape(sample[0]), seed, 0, 4, tf.int32)
        return sample[0] + tf.cast(noise, tf.uint8), sample[1]

    def data():
        keras.utils.set_random_seed(0)  # which TensorFlow mixes into the seed of the shuffle
        shuffled = samples(digits).shuffle(500, seed=3)
        numbered = tf.data.Dataset.zip(shuffled, tf.data.Dataset.random(seed=4))
        return kexp.data.stream(numbered.map(noisy), digits, epoch_samples=640)

    alone = fit(data(), tmp_path / "alone", **options)
    with pytest.raises(Cut):
        fit(data(), tmp_path / "cut", callbacks=[CutAfter(14)], **options)
    continued = fit(data(), tmp_path / "cut", **options)
    assert continued.history == alone.history
    assert continued.metrics == alone.metrics
    assert_same(weights(continued), weights(alone))


def test_epochs_follow_one_another_in_the_stream(digits, tmp_path):
    seen = []

    class Note(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["accuracy"])

    # Labels are all 0 in the first half of the stream and all 1 in the second: with a model that answers 0.
    labels = np.repeat(np.array([0, 1], "int32"), 640)
    images = np.zeros((1280, 8, 8, 1), "uint8")
    halves = tf.data.Dataset.from_tensor_slices((images, labels))
    data = kexp.data.stream(halves, digits, epoch_samples=700)  # ten steps of 64
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(4,), dtype="uint8")
    model.layers[-1].set_weights([np.zeros((4, 10), "float32"), 5.0 * np.eye(10, dtype="float32")[0]])
    options = {**OPTIONS, "learning_rate": 1e-7, "epochs": 3}
    kexp.fit(model, data, callbacks=[Note()], run_dir=str(tmp_path / "run"), **options)
    assert seen == [1.0, 0.0, 1.0]


def test_what_cannot_be_streamed_is_said_before_training(digits, tmp_path):
    with pytest.raises(InputError, match=r"dataset must have samples \(inputs, target\) like"):
        kexp.data.stream(samples(digits).batch(8), digits, epoch_samples=64)
    with pytest.raises(InputError, match="epoch_samples must be a whole number"):
        kexp.data.stream(samples(digits), digits, epoch_samples=0)
    signature = samples(digits).element_spec
    generated = tf.data.Dataset.from_generator(lambda: iter(samples(digits)), output_signature=signature)
    data = kexp.data.stream(generated, digits, epoch_samples=640)
    with pytest.raises(InputError, match=r"dataset must have a place that can be saved.*PyFunc is stateful"):
        fit(data, tmp_path / "run")
    with pytest.raises(InputError, match="epoch_samples must be at least the 128 samples of a step"):
        fit(kexp.data.stream(samples(digits), digits, epoch_samples=100), tmp_path / "run", accumulate=2)


def test_a_stream_is_looked_at_before_the_run_without_moving_on(digits, tmp_path):
    data = kexp.data.stream(samples(digits), digits, epoch_samples=6400)
    model = kexp.models.mlp((8, 8, 1), 10, hidden=(16,), dtype="uint8")
    before = [np.array(weight) for weight in model.get_weights()]
    assert kexp.check(kexp.fit, model, data, batch_size=64).ok
    assert 1e-4 < kexp.lr_find(kexp.fit, model, data, steps=40, batch_size=64).suggestion < 1.0
    assert_same(model.get_weights(), before)

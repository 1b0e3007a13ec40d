"""Convolutional networks have the published sizes, and learn with all of their weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kexp
from kexp.core.errors import InputError
from tests.models.checks import (
    POLICIES,
    assert_mixed_precision_is_close,
    assert_one_step_changes_every_weight,
    assert_saving_keeps_the_answers,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 14, 14, 3), dtype="uint8")

BUILDERS = {
    "plain": lambda **options: kexp.models.cnn((14, 14, 3), 10, filters=(4, 8), **options),
    "average": lambda **options: kexp.models.cnn((14, 14, 3), 10, filters=(4, 8), head="average", **options),
    "resnet": lambda **options: kexp.models.resnet((14, 14, 3), 10, depth=8, width=4, **options),
}


def test_the_plain_network_has_the_34826_parameters_of_the_keras_example():
    model = kexp.models.cnn((28, 28, 1), 10, filters=(32, 64), padding="valid", dropout=0.5)
    assert model.count_params() == 34_826


@pytest.mark.parametrize(
    ("builder", "millions"),
    [(kexp.models.resnet20, 0.27), (kexp.models.resnet32, 0.46), (kexp.models.resnet56, 0.85)],
)
def test_residual_networks_have_the_sizes_of_the_paper(builder, millions):
    model = builder((32, 32, 3), 10)
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert trainable / 1e6 == pytest.approx(millions, abs=0.006)


def test_the_depth_counts_the_layers_with_weights():
    model = kexp.models.resnet20((32, 32, 3), 10)
    assert sum(len(weight.shape) > 1 for weight in model.trainable_weights) == 20


def test_a_depth_that_no_such_network_has_is_refused():
    with pytest.raises(InputError, match=r"depth must be 6n \+ 2 such as 20, 32 or 56; received 21"):
        kexp.models.resnet((32, 32, 3), 10, depth=21)


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
def test_every_weight_learns_and_saving_keeps_the_answers(name, normalization, tmp_path):
    model = BUILDERS[name](normalization=normalization)
    assert model(IMAGES).shape == (6, 10)
    assert_one_step_changes_every_weight(model, IMAGES)
    assert_saving_keeps_the_answers(model, IMAGES, tmp_path)


@pytest.mark.parametrize("name", BUILDERS)
def test_the_gradient_compiles_whole_under_xla(name):
    model = BUILDERS[name](normalization="batch")

    def gradients(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(images, training=True)))
        return tape.gradient(loss, model.trainable_weights)

    plain = gradients(tf.constant(IMAGES))
    compiled = tf.function(gradients, jit_compile=True)(tf.constant(IMAGES))
    for one, other in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def stochastic_depths(model):
    return [layer.rate for layer in model.layers if isinstance(layer, kexp.models.StochasticDepth)]


def test_the_share_of_skipped_blocks_grows_linearly():
    model = kexp.models.resnet((14, 14, 3), 10, depth=14, width=4, stochastic_depth=0.3)
    assert stochastic_depths(model) == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
    assert stochastic_depths(kexp.models.resnet((14, 14, 3), 10, depth=14, width=4)) == []


def test_plain_keras_trains_and_saves_a_network_with_stochastic_depth(tmp_path):
    model = BUILDERS["resnet"](stochastic_depth=0.5)
    assert not np.array_equal(model(IMAGES, training=True), model(IMAGES, training=True))
    np.testing.assert_array_equal(model(IMAGES, training=False), model(IMAGES, training=False))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(IMAGES, np.arange(6), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert_saving_keeps_the_answers(model, IMAGES, tmp_path)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert stochastic_depths(loaded) == stochastic_depths(model)


def test_a_stochastic_depth_of_one_is_refused():
    with pytest.raises(InputError, match="stochastic_depth must be from 0 to below 1; received 1"):
        kexp.models.resnet((14, 14, 3), 10, depth=8, stochastic_depth=1)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", BUILDERS)
def test_mixed_precision_gives_nearly_the_same_logits_in_float32(name, policy):
    assert_mixed_precision_is_close(
        lambda: BUILDERS[name](normalization="batch"), IMAGES, policy, computes="conv2d"
    )

"""The layers of RealMLP compute what the paper says, and steps of Adam are those of their rates."""

import keras
import numpy as np
import pytest

import kexp
from tests.models.checks import assert_saving_keeps_the_answers

ROWS = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")


def test_a_dense_layer_divides_by_the_root_of_its_features():
    layer = kexp.models.NTKDense(3, bias_rate=0.1)
    outputs = layer(ROWS)
    expected = ROWS @ layer.kernel.numpy() / 5**0.5 + 0.1 * layer.bias.numpy()
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_kernels_start_from_the_standard_normal_distribution():
    keras.utils.set_random_seed(0)
    layer = kexp.models.NTKDense(400, bias_rate=0.1)
    layer.build((None, 300))
    assert abs(layer.kernel.numpy().std() - 1) < 0.01
    assert abs(0.1 * layer.bias.numpy().std() - 1) < 0.1


def test_scales_move_six_times_as_far_in_a_step_of_adam_as_others():
    layer = kexp.models.FeatureScale(rate=6.0)
    model = keras.Sequential([keras.Input((5,)), layer])
    before = np.asarray(layer(np.ones((1, 5))))
    np.testing.assert_allclose(before, 1.0, atol=1e-6)
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    model.fit(np.ones((2, 5)), np.zeros((2, 5)), verbose=0)
    np.testing.assert_allclose(before - np.asarray(layer(np.ones((1, 5)))), 0.06, atol=1e-4)


def test_an_activation_mixes_with_its_input_by_a_learned_share():
    layer = kexp.models.ParametricActivation("relu", rate=0.1)
    np.testing.assert_allclose(layer(ROWS), np.maximum(ROWS, 0), atol=1e-6)
    layer.strength.assign(np.full(5, 2.5))
    np.testing.assert_allclose(layer(ROWS), 0.75 * ROWS + 0.25 * np.maximum(ROWS, 0), atol=1e-6)


def test_periodic_embeddings_are_the_number_and_a_function_of_its_waves():
    layer = kexp.models.PeriodicEmbedding(width=4, frequencies=7, rate=0.1)
    found = np.asarray(layer(ROWS)).reshape(6, 5, 4)
    frequency, phase, kernel, bias = (0.1 * weight.numpy() for weight in layer.weights)
    waves = np.cos(2 * np.pi * ROWS[..., None] * frequency + phase)
    np.testing.assert_allclose(found[..., 0], ROWS, atol=1e-6)
    np.testing.assert_allclose(found[..., 1:], np.einsum("bnf,nfo->bno", waves, kernel) + bias, atol=1e-5)


def test_dropout_falls_in_the_second_half_and_is_kept_by_a_saved_model(tmp_path):
    layout = kexp.models.ColumnLayout(edges=((-1.0, 1.0),) * 5)
    model = kexp.models.realmlp(layout, 2, hidden=(8, 8), dropout=0.3)
    model.layers[-1].kernel.assign(np.ones((8, 2)))  # the last layer starts at 0
    falling = kexp.callbacks.FlatCosine(epochs=8)
    falling.set_model(model)
    rates = []
    for epoch in range(8):
        falling.on_epoch_begin(epoch)
        (first, _) = [one for one in model.layers if isinstance(one, kexp.models.FallingDropout)]
        rates.append(float(first.factor))
    np.testing.assert_allclose(rates, [1, 1, 1, 1, 1, 0.853553, 0.5, 0.146447], atol=1e-5)
    drop = kexp.models.FallingDropout(0.5, seed=1)
    dropped = np.asarray(drop(np.ones((400, 50), "float32"), training=True))
    assert abs((dropped == 0).mean() - 0.5) < 0.02
    assert set(np.unique(dropped)) == {0.0, 2.0}
    assert_saving_keeps_the_answers(model, ROWS, tmp_path)


def test_a_rate_of_dropout_of_one_is_refused():
    with pytest.raises(kexp.InputError, match="rate must be a number from 0 to below 1; received 1"):
        kexp.models.FallingDropout(1)

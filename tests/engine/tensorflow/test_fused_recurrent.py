"""An LSTM and a GRU with gradients of their own give what Keras's give, and so do their gradients."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kexp.core.keras_private import computing_by
from kexp.engine.tensorflow.fused_gru import gru
from kexp.engine.tensorflow.fused_lstm import lstm

OWN = {"lstm": lstm, "gru": gru}
LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
WAYS = ("backwards", "masked", "sequences", "states")
# An even number of them at a time: half of all choices, in which any three occur in every combination.
CHOICES = [chosen for chosen in itertools.product((False, True), repeat=4) if sum(chosen) % 2 == 0]


def outputs_and_gradients(layer, variables, inputs, states, mask):
    @tf.function(autograph=False)
    def compute():
        with tf.GradientTape() as tape:
            outputs = layer(inputs, initial_state=states, mask=mask)
            loss = tf.add_n([tf.reduce_sum(tf.sin(3 * output)) for output in outputs])
        return outputs, tape.gradient(loss, variables)

    return [tensor.numpy() for tensor in tf.nest.flatten(compute())]


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("chosen", CHOICES, ids=str)
def test_outputs_states_and_gradients_are_keras_s(chosen, kind):
    asked, rng = dict(zip(WAYS, chosen, strict=True)), np.random.default_rng(0)
    layer = LAYERS[kind](
        5, return_sequences=asked["sequences"], go_backwards=asked["backwards"], return_state=True, seed=0
    )
    shapes = [(3, 7, 4), (3, 5), (3, 5)][: 3 if kind == "lstm" else 2]
    inputs, *states = (tf.Variable(rng.normal(size=shape).astype("float32")) for shape in shapes)
    layer(inputs)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
    mask = tf.constant(rng.random((3, 7)) < 0.6) if asked["masked"] else None
    given = states if asked["states"] else None
    variables = [inputs, *(given or []), *(weight.value for weight in layer.trainable_variables)]
    expected = outputs_and_gradients(layer, variables, inputs, given, mask)
    with computing_by({}, OWN):
        found = outputs_and_gradients(layer, variables, inputs, given, mask)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_bidirectional_layer_with_dropout_trains_alike(kind):
    x = np.random.default_rng(0).normal(size=(16, 6, 3)).astype("float32")

    def trained(own):
        keras.utils.set_random_seed(1)
        layer = keras.layers.Bidirectional(LAYERS[kind](4, dropout=0.2, return_sequences=True))
        model = keras.Sequential([keras.Input((6, 3)), keras.layers.Masking(), layer, keras.layers.Dense(1)])
        with computing_by({}, OWN if own else {}), tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(x, training=True) ** 2)
        return tape.gradient(loss, [weight.value for weight in model.trainable_variables])

    for one, other in zip(trained(True), trained(False), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("other", [{"activation": "relu"}, {"unroll": True}, {"use_bias": False}])
def test_what_they_do_not_compute_is_left_to_keras(other, kind):
    layer = LAYERS[kind](3, seed=0, **other)
    x = np.ones((2, 4, 3), "float32")
    expected = layer(x).numpy()
    with computing_by({}, OWN):
        np.testing.assert_array_equal(layer(x).numpy(), expected)

"""A recurrent model takes its steps in one graph, and gives what it gives step by step."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from kexp.engine.tensorflow.forward_pass import forward_pass


class CountedDense(layers.Dense):
    """A layer that counts how often Python calls it."""

    calls = 0

    def call(self, x):
        CountedDense.calls += 1
        return super().call(x)


def recurrent(steps=None):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((steps, 2), name="series")
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(layers.Masking()(inputs))
    return keras.Model(inputs, CountedDense(2)(layers.Dropout(0.5)(layers.GRU(3)(x))))


def series(samples, steps):
    return tf.constant(np.random.default_rng(0).normal(size=(samples, steps, 2)), "float32")


def test_batches_and_series_of_any_length_go_through_one_graph():
    model = recurrent()
    batches = [series(samples, steps) for samples, steps in ((8, 5), (3, 5), (8, 7), (1, 1))]
    CountedDense.calls = 0
    outputs = [forward_pass(model, batch) for batch in batches]
    assert CountedDense.calls == 1
    for batch, output in zip(batches, outputs, strict=True):
        np.testing.assert_allclose(output, model(batch, training=False), rtol=1e-5, atol=1e-6)


def test_weights_count_that_were_changed_or_exchanged_since():
    model, batch = recurrent(5), series(4, 5)
    before = forward_pass(model, batch)
    model.layers[-1].set_weights([np.zeros((3, 2)), np.ones(2)])
    np.testing.assert_array_equal(forward_pass(model, batch), np.ones((4, 2)))
    model.layers[-1].enable_lora(1)
    model.layers[-1].lora_kernel_b.assign(np.ones((1, 2)))
    adapted = forward_pass(model, batch)
    np.testing.assert_allclose(adapted, model(batch, training=False), rtol=1e-5, atol=1e-6)
    assert not np.allclose(adapted, 1)
    assert not np.allclose(adapted, before)


def test_inputs_by_name_stay_with_their_names():
    long, short = keras.Input((None, 2), name="b"), keras.Input((4,), name="a")
    model = keras.Model({"b": long, "a": short}, layers.Dense(1)(layers.LSTM(4)(long) - short))
    for steps in (3, 6):
        batch = {"b": series(5, steps), "a": tf.ones((5, 4))}
        np.testing.assert_allclose(forward_pass(model, batch), model(batch), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_model_that_python_alone_can_run_is_called_as_it_is(compiled):
    class Eager(keras.Model):
        def __init__(self):
            super().__init__()
            self.rnn = layers.SimpleRNN(2)

        def call(self, x):
            return keras.ops.convert_to_tensor(self.rnn(x).numpy())

    model = Eager()
    if compiled:
        model.compile(run_eagerly=True)
    for _ in range(2):  # at the first call it makes its weights
        assert forward_pass(model, series(2, 3)).shape == (2, 2)


def test_an_input_that_does_not_fit_is_said_to_be_without_a_word_of_graphs():
    tokens = keras.Input((None,), dtype="int32")
    model = keras.Model(tokens, layers.LSTM(2)(layers.Embedding(4, 3)(tokens)))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 9 is not in \[0, 4\)") as raised:
        forward_pass(model, tf.constant([[1, 9]]))
    assert "Graph execution error" not in str(raised.value)


def test_a_model_that_is_not_recurrent_needs_no_graph():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, CountedDense(1)(inputs))
    CountedDense.calls = 0
    for _ in range(2):
        forward_pass(model, tf.ones((2, 3)))
    assert CountedDense.calls == 2

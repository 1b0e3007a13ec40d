"""The names in a graph follow from what is traced, whatever names Keras has made before."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kexp.core.graph_names import names_counted_anew, stable_graph_names
from tests.process_history import with_history


class Twice(keras.layers.Layer):
    """A layer that names a layer of its own after itself."""

    def build(self, shape):
        self.inner = keras.layers.Dense(4, name=f"{self.name}_inner")
        self.inner.build(shape)

    def call(self, inputs):
        return self.inner(inputs) + self.inner(inputs)


class Distance(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)


def gradient_step():
    """Return a step of a model of many kinds of layers."""
    inputs = keras.Input((5, 4))
    x = keras.layers.Bidirectional(keras.layers.SimpleRNN(2, return_sequences=True))(inputs)
    x = keras.layers.MultiHeadAttention(2, 2)(x, x) + keras.layers.Dense(4, name="mine_7")(x)
    x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(Twice()(x)))
    model = keras.Model(inputs, keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(1)])(x))
    loss, optimizer = Distance(), keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)

    def step(batch):
        with tf.GradientTape() as tape:
            cost = loss(batch[..., :1], model(batch, training=True))
        optimizer.apply(tape.gradient(cost, model.trainable_variables))

    return step


def node_names(step):
    function = tf.function(step, autograph=False)
    return [node.name for node in function.get_concrete_function(tf.zeros((2, 5, 4))).graph.get_operations()]


def test_a_graph_has_the_same_names_whatever_was_made_before():
    stable, plain = [], []
    for number in (0, 8, 98):
        with_history(number)
        step = gradient_step()
        with stable_graph_names():
            stable.append(node_names(step))
        if number != 8:
            plain.append(node_names(step))
    assert stable[0] == stable[1] == stable[2]
    assert plain[0] != plain[1]
    assert any("/mine_7" in name for name in stable[0])  # what people gave stays


def test_the_objects_keep_their_names():
    with_history(98)
    layer = keras.layers.Dense(1)
    layer.build((None, 4))
    name = layer.name
    with stable_graph_names():
        node_names(layer)
    assert layer.name == name


def test_names_stay_as_they_are_where_they_are_counted_anew():
    with_history(98)
    with names_counted_anew():
        keras.layers.Dense(1)
        second = keras.layers.Dense(1)
        second.build((None, 4))
        with stable_graph_names():
            names = node_names(second)
    assert any(name.startswith("dense_1") for name in names)


def test_layers_made_inside_and_after_fit_into_one_model():
    with_history(3)
    with names_counted_anew():
        inside = keras.layers.Dense(1)
    later = [keras.layers.Dense(1) for _ in range(3)]
    keras.Sequential([keras.Input((4,)), inside, *later])
    assert inside.name == "dense"


def test_one_inside_another_leaves_no_trace():
    with names_counted_anew():
        keras.layers.Dense(1)
        with names_counted_anew():
            keras.layers.Dense(1)
            keras.layers.Flatten()
        assert keras.layers.Dense(1).name == "dense_1"
        assert keras.layers.Flatten().name == "flatten"


def test_names_are_put_back_when_something_is_raised():
    with_history(98)
    with pytest.raises(RuntimeError), names_counted_anew(), stable_graph_names():
        raise RuntimeError
    layer = keras.layers.Dense(1)
    layer(np.zeros((1, 4), "float32"))
    assert layer.name == "dense_98"

"""Weights that TensorFlow's kernels update are those that Keras's operations give, to rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kexp.engine.tensorflow.fused_updates import fused_updates, has_fused_updates
from kexp.train.optimizers import LossScaling, OneCycleAdam, OneCycleSGD
from kexp.train.schedules import Schedule

STEPS = 200
SHAPES = ((7, 5), (5,), (3, 2, 4))
rng = np.random.default_rng(0)
GRADIENTS = [rng.normal(size=(STEPS, *shape)).astype("float32") for shape in SHAPES]


def one_cycle():
    return Schedule("one_cycle", peak=0.01, steps=STEPS)


class OwnStep(keras.optimizers.SGD):
    """An optimizer of a user's."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, 2 * learning_rate * gradient)


FUSED = {
    "sgd": lambda: keras.optimizers.SGD(0.01),
    "sgd with decay": lambda: keras.optimizers.SGD(0.01, weight_decay=0.1),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    "one-cycle momentum": lambda: OneCycleSGD(one_cycle()),
    "one-cycle nesterov": lambda: OneCycleSGD(one_cycle(), nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adam clipped": lambda: keras.optimizers.Adam(0.01, clipnorm=0.5, beta_1=0.8, epsilon=1e-5),
    "adam accumulating": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=3),
    "adamw with average": lambda: keras.optimizers.AdamW(0.01, use_ema=True, ema_momentum=0.9),
    "one-cycle adamw": lambda: OneCycleAdam(one_cycle(), weight_decay=0.004),
    "scaled adam": lambda: LossScaling(keras.optimizers.Adam(0.01)),
}
COMPOSED = {
    "amsgrad": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    "lion": lambda: keras.optimizers.Lion(0.01),
    "own": lambda: OwnStep(0.01),
}


def taken(optimizer, *, fused, steps=STEPS, rows=None):
    """Return weights and slots after so many steps, and the operations of a step."""
    weights = [keras.Variable(np.ones(shape, "float32")) for shape in SHAPES]
    optimizer.build(weights)

    @tf.function(autograph=False)
    def step(*gradients):
        first = gradients[0] if rows is None else tf.IndexedSlices(gradients[0], rows, SHAPES[0])
        apply = [first, *gradients[1:]]
        if fused:
            with fused_updates(optimizer):
                optimizer.apply(apply, weights)
        else:
            optimizer.apply(apply, weights)

    for number in range(steps):
        step(*(tf.constant(gradient[number]) for gradient in GRADIENTS))
    graph = step.get_concrete_function(*(tf.constant(one[0]) for one in GRADIENTS)).graph
    kinds = {node.type for node in graph.get_operations()}
    return [np.array(variable) for variable in (*weights, *optimizer.variables)], kinds


@pytest.mark.parametrize("name", FUSED)
def test_many_steps_equal_those_of_keras_with_the_same_slots(name):
    assert has_fused_updates(FUSED[name]())
    found, kinds = taken(FUSED[name](), fused=True)
    expected, _ = taken(FUSED[name](), fused=False)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)
    if name not in ("adam accumulating", "scaled adam"):  # these update in a branch
        assert any(kind.startswith("ResourceApply") for kind in kinds)


@pytest.mark.parametrize("name", COMPOSED)
def test_what_has_no_kernel_is_updated_by_keras_to_the_bit(name):
    assert not has_fused_updates(COMPOSED[name]())
    found, _ = taken(COMPOSED[name](), fused=True, steps=5)
    expected, _ = taken(COMPOSED[name](), fused=False, steps=5)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_some_rows_of_an_embedding_are_updated_by_keras_to_the_bit():
    rows = tf.constant([0, 2, 2, 1, 6, 5, 0])
    found, _ = taken(FUSED["adam"](), fused=True, steps=5, rows=rows)
    expected, _ = taken(FUSED["adam"](), fused=False, steps=5, rows=rows)
    np.testing.assert_array_equal(found[0], expected[0])


def test_an_optimizer_is_its_own_again_after_an_update():
    optimizer = FUSED["adam"]()
    taken(optimizer, fused=True, steps=1)
    assert "update_step" not in vars(optimizer)

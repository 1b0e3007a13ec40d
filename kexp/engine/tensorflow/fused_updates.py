"""Updates of weights by TensorFlow's kernels: one operation for a weight, where Keras composes a dozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from kexp.core.keras_private import inner_optimizer, slots_of, updating_by
from kexp.train.optimizers import OneCycleAdam, OneCycleSGD

# By type alone: a subclass may compute something else at any place.
_ADAMS = (keras.optimizers.Adam, keras.optimizers.AdamW, OneCycleAdam)
_SGDS = (keras.optimizers.SGD, OneCycleSGD)
_Update = Callable[[Any, Any, Any], None]


def has_fused_updates(optimizer: keras.optimizers.Optimizer) -> bool:
    """Return whether TensorFlow has kernels that compute what an optimizer does.

    Example:
        >>> has_fused_updates(keras.optimizers.AdamW()), has_fused_updates(keras.optimizers.Lion())
        (True, False)
        >>> has_fused_updates(keras.optimizers.Adam(amsgrad=True))
        False
    """
    own = inner_optimizer(optimizer)
    if "update_step" in vars(own):  # somebody's own
        return False
    return type(own) in _SGDS or (type(own) in _ADAMS and not own.amsgrad)


@contextmanager
def fused_updates(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Have an optimizer that is applied inside change weights by TensorFlow's kernels, where it has them.

    Decay, averages, constraints and the scale of the loss stay Keras's, and so do the slots. What comes out
    is equal to Keras's to the rounding of float32, not to the bit.

    Example:
        >>> optimizer, weight = keras.optimizers.SGD(0.5), keras.Variable([1.0])
        >>> with fused_updates(optimizer):
        ...     optimizer.apply([tf.constant([1.0])], [weight])
        >>> weight.numpy().tolist()
        [0.5]
    """
    if not has_fused_updates(optimizer):
        yield
        return
    own = inner_optimizer(optimizer)
    fused = (_adam if type(own) in _ADAMS else _sgd)(own)

    def update(gradient: Any, variable: Any, learning_rate: Any) -> None:
        # Of an embedding a gradient has some rows alone.
        dense = not isinstance(gradient, tf.IndexedSlices)
        step = fused if dense and variable.dtype == tf.float32 else type(own).update_step.__get__(own)
        step(gradient, variable, learning_rate)

    with updating_by(own, update):
        yield


@contextmanager
def rounding_as_fused(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Have an optimizer that is applied inside by Keras's operations round as TensorFlow's kernels do.

    In float32 1 - 0.999 is 1.3e-5 of it too small, which the kernel of Adam takes into account on both sides
    of a fraction, and Keras, that has 0.001 on one of them, does not.
    """
    own = inner_optimizer(optimizer)
    names = ("beta_1", "beta_2") if has_fused_updates(optimizer) and type(own) in _ADAMS else ()
    before = {name: getattr(own, name) for name in names}
    try:
        for name, beta in before.items():
            setattr(own, name, tf.convert_to_tensor(beta, tf.float32))
        yield
    finally:
        for name, beta in before.items():
            setattr(own, name, beta)


def _adam(optimizer: Any) -> _Update:
    powers: list[Any] = []  # once for all weights

    def update(gradient: Any, variable: Any, learning_rate: Any) -> None:
        betas = [tf.cast(beta, tf.float32) for beta in (optimizer.beta_1, optimizer.beta_2)]
        if not powers:
            step = keras.ops.cast(optimizer.iterations + 1, "float32")
            powers.extend(tf.pow(beta, step) for beta in betas)
        momentum, velocity = slots_of(optimizer, variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.handle,
            v=velocity.handle,
            beta1_power=powers[0],
            beta2_power=powers[1],
            lr=keras.ops.cast(learning_rate, "float32"),
            beta1=betas[0],
            beta2=betas[1],
            epsilon=optimizer.epsilon,
            grad=keras.ops.cast(gradient, "float32"),
        )

    return update


def _sgd(optimizer: Any) -> _Update:
    def update(gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate, gradient = keras.ops.cast(learning_rate, "float32"), keras.ops.cast(gradient, "float32")
        slots = slots_of(optimizer, variable)
        if not slots:
            tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=rate, delta=gradient)
            return
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=slots[0].handle,
            lr=rate,
            grad=gradient,
            momentum=tf.cast(getattr(optimizer, "momentum_now", optimizer.momentum), tf.float32),
            use_nesterov=optimizer.nesterov,
        )

    return update

"""Gradients with respect to what goes into a model, or into one of its layers."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def value_and_gradient(
    function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what a function gives for a tensor, and the gradient of its sum, zero where it does not depend.

    Args:
        function: Of a tensor.
        x: (samples, ...) of floating point.

    Returns:
        The value, and a gradient of the shape of `x`.

    Example:
        >>> value, gradient = value_and_gradient(lambda x: x**2, tf.constant([1.0, 3.0]))
        >>> value.numpy().tolist(), gradient.numpy().tolist()
        ([1.0, 9.0], [2.0, 6.0])
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        value = function(x)
    return value, tape.gradient(value, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)

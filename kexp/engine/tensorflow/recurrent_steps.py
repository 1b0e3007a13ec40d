"""The steps of a recurrent layer: in which order, and which of them are left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kexp.core.types import Tensor


def require_usual(activation: Callable[..., Any], recurrent_activation: Callable[..., Any]) -> None:
    """Leave it to Keras's own loop to compute other functions than tanh, and sigmoid of the gates.

    Raises:
        NotImplementedError: One is another function.
    """
    usual = keras.activations.tanh, keras.activations.sigmoid
    if (activation, recurrent_activation) != usual:
        raise NotImplementedError


def cast_like(inputs: Tensor, weight: Tensor) -> Any:
    """Return a weight or state in the type that inputs have."""
    return tf.cast(tf.convert_to_tensor(weight), inputs.dtype)


def by_step(inputs: Tensor, mask: Tensor | None, *, go_backwards: bool) -> tuple[Any, Any]:
    """Return inputs, (steps, batch, inputs), in the order that they are taken in, and what is kept of each.

    Args:
        inputs: (batch, steps, inputs).
        mask: (batch, steps), False where a step is left out; None: none is.
        go_backwards: Whether the last step comes first.

    Returns:
        The inputs, and 1 or 0, (steps, batch, 1) of their type; None for no mask.
    """
    steps_first = tf.transpose(inputs, [1, 0, 2])
    kept = None if mask is None else tf.cast(tf.transpose(mask), inputs.dtype)[:, :, None]
    if go_backwards:
        steps_first = tf.reverse(steps_first, [0])
        kept = None if kept is None else tf.reverse(kept, [0])
    return steps_first, kept


def passed_on(step: Tensor, kept: Tensor | None, new: Tensor, old: Tensor) -> Any:
    """Return a state after a step, which is the one before where the step is left out."""
    return new if kept is None else old + kept[step] * (new - old)


def zero_before_first(outputs: Tensor, kept: Tensor | None) -> Any:
    """Return (steps, batch, units) outputs as Keras gives them: zeros before the first step that counts."""
    return outputs if kept is None else outputs * tf.cast(tf.cumsum(kept) > 0, outputs.dtype)


def step_array(like: Tensor, steps: int | Tensor, size: int) -> tf.TensorArray:
    """Return an array that takes (batch, size) at each step.

    Args:
        like: (batch, ...) of the same batch and type.
        steps: How many.
        size: Numbers of a sample.
    """
    return tf.TensorArray(like.dtype, steps, element_shape=[like.shape[0], size])

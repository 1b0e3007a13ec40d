"""A GRU whose gradient is written out, as that of the LSTM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kexp.core.types import Tensor
from kexp.engine.tensorflow.recurrent_steps import (
    by_step,
    cast_like,
    passed_on,
    require_usual,
    step_array,
    zero_before_first,
)


def gru(
    inputs: Tensor,
    initial_state: Tensor,
    mask: Tensor | None,
    *,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    activation: Callable[..., Any],
    recurrent_activation: Callable[..., Any],
    return_sequences: bool = False,
    go_backwards: bool = False,
    unroll: bool = False,
    reset_after: bool = True,
) -> tuple[Any, Any, list[Any]]:
    """Return the last output, all outputs and the state of a GRU, as Keras's backend does by this name.

    Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", in the form whose reset gate
    comes after the product with the state. Equal to Keras's to rounding.

    Args:
        inputs: (batch, steps, inputs).
        initial_state: (batch, units), the output before the first step.
        mask: (batch, steps), False where a step is left out; None: none is.
        kernel: (inputs, 3 units): update gate, reset gate, candidate.
        recurrent_kernel: (units, 3 units).
        bias: (2, 3 units), of the inputs and of the state.
        activation: Of the candidate; tanh alone.
        recurrent_activation: Of the gates; sigmoid alone.
        return_sequences: Whether all outputs are asked for; they are there in any case.
        go_backwards: Whether the last step comes first.
        unroll: Not here.
        reset_after: Not otherwise.

    Raises:
        NotImplementedError: Keras's own loop has to do it.
    """
    if unroll or bias is None or not reset_after:
        raise NotImplementedError
    require_usual(activation, recurrent_activation)
    weights = [cast_like(inputs, weight) for weight in (kernel, recurrent_kernel, bias)]
    steps_first, kept = by_step(inputs, mask, go_backwards=go_backwards)
    outputs = _scanned(steps_first, cast_like(inputs, initial_state), *weights, kept=kept)
    state, outputs = outputs[-1], zero_before_first(outputs, kept)
    return outputs[-1], tf.transpose(outputs, [1, 0, 2]), [state]


def _scanned(
    inputs: Tensor,
    hidden: Tensor,
    kernel: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    *,
    kept: Tensor | None,
) -> Any:
    """Return the outputs of all steps, (steps, batch, units)."""

    @tf.custom_gradient
    def scan(inputs: Tensor, hidden: Tensor, kernel: Tensor, recurrent: Tensor, bias: Tensor) -> Any:
        flat, size = tf.reshape(inputs, [-1, inputs.shape[-1]]), kernel.shape[1]
        from_inputs = tf.reshape(tf.matmul(flat, kernel) + bias[0], [*keras.ops.shape(inputs)[:2], size])
        gates, outputs = _forward(from_inputs, hidden, recurrent, bias[1], kept)

        def gradient(upstream: Tensor) -> tuple[Any, ...]:
            before = tf.concat([hidden[None], outputs[:-1]], 0)
            *sums, by_hidden = _backward(upstream, gates, before, recurrent, kept)
            of_inputs, of_state = (tf.reshape(one, [-1, size]) for one in sums)
            by_inputs = tf.reshape(tf.matmul(of_inputs, kernel, transpose_b=True), keras.ops.shape(inputs))
            by_kernel = tf.matmul(flat, of_inputs, transpose_a=True)
            by_recurrent = tf.matmul(tf.reshape(before, [-1, hidden.shape[-1]]), of_state, transpose_a=True)
            by_bias = tf.stack([tf.reduce_sum(of_inputs, 0), tf.reduce_sum(of_state, 0)])
            return by_inputs, by_hidden, by_kernel, by_recurrent, by_bias

        return outputs, gradient

    return scan(inputs, hidden, kernel, recurrent, bias)


def _forward(
    from_inputs: Tensor, hidden: Tensor, recurrent: Tensor, bias: Tensor, kept: Tensor | None
) -> tuple[Any, Any]:
    """Return of all steps gates, candidates and what these are made of, side by side, and outputs."""
    steps, units = keras.ops.shape(from_inputs)[0], recurrent.shape[0]

    def take(step: Tensor, hidden: Tensor, gates: Any, outputs: Any) -> tuple[Any, ...]:
        own, of_state = from_inputs[step], tf.matmul(hidden, recurrent) + bias
        sigmoids = tf.sigmoid(own[:, : 2 * units] + of_state[:, : 2 * units])
        update, reset = tf.split(sigmoids, 2, axis=1)
        remembered = of_state[:, 2 * units :]
        candidate = tf.tanh(own[:, 2 * units :] + reset * remembered)
        new = passed_on(step, kept, candidate + update * (hidden - candidate), hidden)
        gates = gates.write(step, tf.concat([sigmoids, candidate, remembered], 1))
        return step + 1, new, gates, outputs.write(step, new)

    made = [step_array(hidden, steps, size) for size in (4 * units, units)]
    _, _, *found = tf.while_loop(
        lambda step, *_: step < steps,
        take,
        (0, hidden, *made),
        maximum_iterations=steps,
    )
    gates, outputs = (array.stack() for array in found)
    return gates, outputs


def _backward(
    upstream: Tensor, gates: Tensor, before: Tensor, recurrent: Tensor, kept: Tensor | None
) -> tuple[Any, Any, Any]:
    """Return the gradients of what comes from inputs and from states at each step, and of the first state."""
    steps, units = keras.ops.shape(gates)[0], recurrent.shape[0]
    turned = tf.transpose(recurrent)

    def take(step: Tensor, by_hidden: Tensor, of_inputs: Any, of_state: Any) -> tuple[Any, ...]:
        update, reset, candidate, remembered = tf.split(gates[step], 4, axis=1)
        by_hidden += upstream[step]
        own = by_hidden if kept is None else by_hidden * kept[step]
        by_update = own * (before[step] - candidate) * update * (1 - update)
        by_candidate = own * (1 - update) * (1 - candidate * candidate)
        by_reset = by_candidate * remembered * reset * (1 - reset)
        sums = tf.concat([by_update, by_reset, by_candidate * reset], 1)
        new = own * update + tf.matmul(sums, turned)
        if kept is not None:
            new += by_hidden * (1 - kept[step])
        of_inputs = of_inputs.write(step, tf.concat([by_update, by_reset, by_candidate], 1))
        return step - 1, new, of_inputs, of_state.write(step, sums)

    made = [step_array(gates[0], steps, 3 * units) for _ in range(2)]
    _, by_hidden, of_inputs, of_state = tf.while_loop(
        lambda step, *_: step >= 0,
        take,
        (steps - 1, tf.zeros_like(before[0]), *made),
        maximum_iterations=steps,
    )
    return of_inputs.stack(), of_state.stack(), by_hidden

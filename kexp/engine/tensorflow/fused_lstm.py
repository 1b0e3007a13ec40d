"""An LSTM whose gradient is written out: one product of matrices for all steps, not one for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

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

Gradient = Callable[..., tuple[Any, ...]]


class _Weights(NamedTuple):
    """Of the inputs, (inputs, 4 units), of the state, (units, 4 units), and the bias.

    The gates are in the order input, forget, output, candidate: those with a sigmoid side by side.
    """

    kernel: Any
    recurrent: Any
    bias: Any


def lstm(
    inputs: Tensor,
    initial_state_h: Tensor,
    initial_state_c: Tensor,
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
) -> tuple[Any, Any, list[Any]]:
    """Return the last output, all outputs and the states of an LSTM, as Keras's backend does by this name.

    The equations are those of Hochreiter and Schmidhuber 1997, "Long short-term memory", with the forget gate
    of Gers et al. 2000; the gradient is backpropagation through time. Equal to Keras's to rounding.

    Args:
        inputs: (batch, steps, inputs).
        initial_state_h: (batch, units), the output before the first step.
        initial_state_c: (batch, units), the cell before it.
        mask: (batch, steps), False where a step is left out; None: none is.
        kernel: (inputs, 4 units), gates in Keras's order: input, forget, candidate, output.
        recurrent_kernel: (units, 4 units).
        bias: (4 units,).
        activation: Of the candidate and the output; tanh alone.
        recurrent_activation: Of the gates; sigmoid alone.
        return_sequences: Whether all outputs are asked for; they are there in any case.
        go_backwards: Whether the last step comes first.
        unroll: Not here.

    Raises:
        NotImplementedError: Keras's own loop has to do it.
    """
    if unroll or bias is None:
        raise NotImplementedError
    require_usual(activation, recurrent_activation)
    weights = [cast_like(inputs, weight) for weight in (kernel, recurrent_kernel, bias)]
    steps_first, kept = by_step(inputs, mask, go_backwards=go_backwards)
    hidden, cell = (cast_like(inputs, state) for state in (initial_state_h, initial_state_c))
    outputs, cell = _scanned(steps_first, hidden, cell, _Weights(*map(_sigmoids_first, weights)), kept)
    state, outputs = outputs[-1], zero_before_first(outputs, kept)
    return outputs[-1], tf.transpose(outputs, [1, 0, 2]), [state, cell]


def _sigmoids_first(weight: Tensor) -> Any:
    of_input, forget, candidate, output = tf.split(weight, 4, axis=-1)
    return tf.concat([of_input, forget, output, candidate], axis=-1)


def _scanned(
    inputs: Tensor, hidden: Tensor, cell: Tensor, weights: _Weights, kept: Tensor | None
) -> tuple[Any, Any]:
    """Return the outputs of all steps, (steps, batch, units), and the cell after the last."""

    @tf.custom_gradient
    def scan(
        inputs: Tensor, hidden: Tensor, cell: Tensor, kernel: Tensor, recurrent: Tensor, bias: Tensor
    ) -> tuple[tuple[Any, Any], Gradient]:
        flat = tf.reshape(inputs, [-1, inputs.shape[-1]])
        from_inputs = tf.reshape(
            tf.matmul(flat, kernel) + bias, [*keras.ops.shape(inputs)[:2], bias.shape[0]]
        )
        gates, outputs, cells = _forward(from_inputs, hidden, cell, recurrent, kept)

        def gradient(upstream: Tensor, upstream_cell: Tensor) -> tuple[Any, ...]:
            before = [
                tf.concat([first[None], after[:-1]], 0) for first, after in ((hidden, outputs), (cell, cells))
            ]
            by_gate, by_hidden, by_cell = _backward(
                upstream, upstream_cell, gates, before[1], cells, recurrent, kept
            )
            together = tf.reshape(by_gate, [-1, bias.shape[0]])
            by_inputs = tf.reshape(tf.matmul(together, kernel, transpose_b=True), keras.ops.shape(inputs))
            by_recurrent = tf.matmul(
                tf.reshape(before[0], [-1, hidden.shape[-1]]), together, transpose_a=True
            )
            by_kernel = tf.matmul(flat, together, transpose_a=True)
            return by_inputs, by_hidden, by_cell, by_kernel, by_recurrent, tf.reduce_sum(together, 0)

        return (outputs, cells[-1]), gradient

    return scan(inputs, hidden, cell, *weights)


def _forward(
    from_inputs: Tensor, hidden: Tensor, cell: Tensor, recurrent: Tensor, kept: Tensor | None
) -> tuple[Any, Any, Any]:
    """Return gates, outputs and cells of all steps."""
    steps, units = keras.ops.shape(from_inputs)[0], recurrent.shape[0]

    def take(
        step: Tensor, hidden: Tensor, cell: Tensor, gates: Any, outputs: Any, cells: Any
    ) -> tuple[Any, ...]:
        sums = from_inputs[step] + tf.matmul(hidden, recurrent)
        sigmoids, candidate = tf.sigmoid(sums[:, : 3 * units]), tf.tanh(sums[:, 3 * units :])
        of_input, forget, output = tf.split(sigmoids, 3, axis=1)
        new_cell = forget * cell + of_input * candidate
        new_hidden = output * tf.tanh(new_cell)
        new_cell, new_hidden = (
            passed_on(step, kept, new, old) for new, old in ((new_cell, cell), (new_hidden, hidden))
        )
        gates = gates.write(step, tf.concat([sigmoids, candidate], 1))
        return (
            step + 1,
            new_hidden,
            new_cell,
            gates,
            outputs.write(step, new_hidden),
            cells.write(step, new_cell),
        )

    made = [step_array(hidden, steps, size) for size in (4 * units, units, units)]
    _, _, _, *found = tf.while_loop(
        lambda step, *_: step < steps,
        take,
        (0, hidden, cell, *made),
        maximum_iterations=steps,
    )
    gates, outputs, cells = (array.stack() for array in found)
    return gates, outputs, cells


def _backward(
    upstream: Tensor,
    upstream_cell: Tensor,
    gates: Tensor,
    before: Tensor,
    cells: Tensor,
    recurrent: Tensor,
    kept: Tensor | None,
) -> tuple[Any, Any, Any]:
    """Return the gradients of the sums in the gates of all steps, of the initial output and of the cell."""
    steps, units = keras.ops.shape(gates)[0], recurrent.shape[0]
    turned = tf.transpose(recurrent)

    def take(step: Tensor, by_hidden: Tensor, by_cell: Tensor, sums: Any) -> tuple[Any, ...]:
        sigmoids, candidate = gates[step, :, : 3 * units], gates[step, :, 3 * units :]
        of_input, forget, output = tf.split(sigmoids, 3, axis=1)
        by_hidden += upstream[step]
        own_hidden = by_hidden if kept is None else by_hidden * kept[step]
        own_cell = by_cell if kept is None else by_cell * kept[step]
        bent = tf.tanh(cells[step])
        own_cell += own_hidden * output * (1 - bent * bent)
        by_sigmoids = tf.concat([own_cell * candidate, own_cell * before[step], own_hidden * bent], 1)
        by_sums = tf.concat(
            [by_sigmoids * sigmoids * (1 - sigmoids), own_cell * of_input * (1 - candidate * candidate)], 1
        )
        new_hidden, new_cell = tf.matmul(by_sums, turned), own_cell * forget
        if kept is not None:
            new_hidden += by_hidden * (1 - kept[step])
            new_cell += by_cell * (1 - kept[step])
        return step - 1, new_hidden, new_cell, sums.write(step, by_sums)

    start = (steps - 1, tf.zeros_like(before[0]), upstream_cell, step_array(gates[0], steps, 4 * units))
    _, by_hidden, by_cell, sums = tf.while_loop(
        lambda step, *_: step >= 0, take, start, maximum_iterations=steps
    )
    return sums.stack(), by_hidden, by_cell

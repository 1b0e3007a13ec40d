"""The loop over steps: compiled functions that take many in one call."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kexp.core.graph_names import stable_graph_names
from kexp.engine.base import StepFailure

# Of the running mean that a spike is measured against: it looks back over about fifty steps.
_MEAN_MOMENTUM = 0.98
# Near a loss of zero every hard sample would be a spike, so the mean counts as this share of the first loss.
_FLOOR = 0.01
# XLA compiles a program for a number of rows; fewer are filled up.
_ROWS = 100


class Progress(NamedTuple):
    """Where a training stands, in variables.

    Attributes:
        steps: Steps taken.
        first_loss: Loss of the first.
        mean_loss: Running mean of the losses, which a spike is measured against.
        norm_sums: (players,) norms of the gradients, summed over the steps of the epoch.
        epoch_start: Steps taken before the epoch.
    """

    steps: tf.Variable
    first_loss: tf.Variable
    mean_loss: tf.Variable
    norm_sums: tf.Variable
    epoch_start: tf.Variable


class StepLoop:
    """Takes steps one after the other, and stops at one that goes wrong.

    Args:
        step: From the (samples,) positions of a step and the samples per forward pass to loss and norm of the
            gradient, or the (players,) norms of several.
        progress: What the steps move on.
        spike: Ratio to the mean loss above which a loss is a spike; None: none is.
        static: Whether shapes must be known when a function is traced.

    Attributes:
        jit: Whether XLA compiles all steps of a call as one program.
    """

    def __init__(
        self,
        step: Callable[[Any, Any], tuple[tf.Tensor, tf.Tensor]],
        progress: Progress,
        spike: float | None,
        *,
        static: bool,
    ) -> None:
        self._step = step
        self._progress = progress
        self._spike = spike
        self.jit = False
        self._static = static
        self._functions: dict[tuple[int | None, ...], Any] = {}

    def run(self, rows: np.ndarray, batch_size: int) -> StepFailure | None:
        """Take one step for each row, the positions of its samples, in batches of a size."""
        count, width = rows.shape
        # Not so the last step of an epoch, which has fewer samples: compiling takes seconds.
        jit = self.jit and width % batch_size == 0
        if jit:
            rows = np.pad(rows, ((0, max(0, _ROWS - count)), (0, 0)))
        # Open sizes spare that step a trace of its own, which would cost more time than a short run takes.
        sizes = (len(rows) if jit else None, *((width, batch_size) if jit or self._static else (None, None)))
        arguments = map(tf.constant, (rows, count, batch_size))
        taken, loss, norm, wrong = self._function(*sizes)(*arguments)
        return StepFailure(int(taken) - 1, float(loss), float(norm)) if bool(wrong) else None

    def run_eagerly(self, rows: np.ndarray, batch_size: int) -> StepFailure | None:
        """Do so operation by operation."""
        for number, row in enumerate(rows):
            before = tf.identity(self._progress.mean_loss)
            loss, norms = self._step(tf.constant(row), batch_size)
            norm = total_norm(norms)
            self._progress.norm_sums.assign(self._progress.norm_sums + norms)
            self._progress.mean_loss.assign(self.running_mean(before, loss))
            if bool(self.is_bad_step(before, loss, norm)):
                return StepFailure(number, float(loss), float(norm))
        return None

    def forget(self) -> None:
        """Let go of the functions and of what they hold."""
        self._functions.clear()

    def _function(self, count: int | None, width: int | None, batch_size: int | None) -> Callable[..., Any]:
        """Return the function that takes steps, for rows and batches of any size or of these alone."""
        if (count, width, batch_size) in self._functions:
            return self._functions[count, width, batch_size]
        whole = tf.TensorSpec([], tf.int32)
        signature = [tf.TensorSpec([count, width], tf.int32), whole, whole]

        # Without autograph, as in Keras's own loop: TensorFlow 2.20 has none for Python 3.13.
        @tf.function(input_signature=signature, autograph=False, jit_compile=count is not None or None)
        def run(rows: tf.Tensor, steps: tf.Tensor, size: tf.Tensor) -> Any:
            # The sums go on in one order however steps are divided into calls, which hangs on the clock.
            def take_step(number: Any, mean: Any, sums: Any, *_: Any) -> Any:
                loss, norms = self._step(rows[number], batch_size or size)
                running, norm = self.running_mean(mean, loss), total_norm(norms)
                return number + 1, running, sums + norms, loss, norm, self.is_bad_step(mean, loss, norm)

            carried = self._progress.mean_loss.read_value(), self._progress.norm_sums.read_value()
            number, mean, sums, loss, norm, wrong = tf.while_loop(
                lambda number, mean, sums, loss, norm, wrong: (number < steps) & ~wrong,
                take_step,
                tuple(tf.convert_to_tensor(value) for value in (0, *carried, 0.0, 0.0, False)),
                parallel_iterations=1,
            )
            self._progress.mean_loss.assign(mean)
            self._progress.norm_sums.assign(sums)
            return number, loss, norm, wrong

        # Traced once, here: TensorFlow takes many models in one process for one that is traced again and
        # again, and would warn.
        with stable_graph_names():
            self._functions[count, width, batch_size] = run.get_concrete_function()
        return self._functions[count, width, batch_size]

    def running_mean(self, mean: tf.Tensor, loss: tf.Tensor) -> tf.Tensor:
        """Return the running mean of the losses after a step that has been taken."""
        steps, first = self._progress.steps, self._progress.first_loss
        begins = tf.equal(steps, 1)
        first.assign(tf.where(begins, loss, first))
        return tf.where(begins, loss, _MEAN_MOMENTUM * mean + (1 - _MEAN_MOMENTUM) * loss)

    def is_bad_step(self, mean: tf.Tensor, loss: tf.Tensor, norm: tf.Tensor) -> tf.Tensor:
        """Return whether a step went wrong, by the running mean before it."""
        wrong = ~tf.math.is_finite(loss) | ~tf.math.is_finite(norm)
        if self._spike is None:
            return wrong
        steps, first = self._progress.steps, self._progress.first_loss
        # A loss that may fall below zero, as with add_loss, has no size that a spike is a multiple of.
        usual = tf.where(first > 0, tf.maximum(mean, _FLOOR * first), np.inf)
        return wrong | ((loss > self._spike * usual) & (steps > 1))


def total_norm(norms: tf.Tensor) -> tf.Tensor:
    """Return the norm of all gradients, of one player's norm or of the (players,) norms of several."""
    return norms if norms.shape.rank == 0 else tf.sqrt(tf.reduce_sum(tf.square(norms)))


def uncompiled(error: tf.errors.OpError) -> str:
    """Return which operation XLA has said it cannot compile, or what else it has said.

    Example:
        >>> message = "No registered 'AsString' OpKernel for XLA_CPU_JIT devices"
        >>> uncompiled(tf.errors.InvalidArgumentError(None, None, message))
        'XLA has no operation AsString'
    """
    operation = re.search(r"No registered '(\w+)' OpKernel", error.message)
    if operation:
        return f"XLA has no operation {operation[1]}"
    place = re.search(r"\{\{node (?:\S+/)?(\S+)\}\}", error.message)
    words = re.sub(r"\{\{.*?\}\} ?", "", error.message).strip().partition("\n")[0].rstrip(":.")
    return f"XLA says of {place[1]}: {words}" if place else f"XLA says: {words}"

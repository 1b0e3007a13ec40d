"""What the loop asks of Keras callbacks: which events they watch, and what they say to it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import keras

from kexp.engine.base import StepFailure

_OF_BATCHES = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
_OF_VALIDATION = ("on_test_batch_begin", "on_test_batch_end")


def _watches(callback: keras.callbacks.Callback, hooks: Sequence[str]) -> bool:
    return any(_changed(callback, hook) for hook in hooks)


def _changed(callback: keras.callbacks.Callback, hook: str) -> bool:
    if hook in vars(callback):  # as LambdaCallback sets them
        return True
    return getattr(type(callback), hook) is not getattr(keras.callbacks.Callback, hook)


def stops_at_nan(callbacks: Sequence[keras.callbacks.Callback], failure: StepFailure) -> bool:
    """Return whether a callback says what is done about a loss like that of a step that went wrong."""
    is_number = abs(failure.loss) < float("inf")
    return not is_number and any(isinstance(one, keras.callbacks.TerminateOnNaN) for one in callbacks)


class TrainingBatches:
    """Tells callbacks of training batches as Keras does: of so many at once as a model takes in an execution.

    Args:
        callbacks: Those of the run.
        all_of_them: With the loop's own, and the model.
    """

    def __init__(
        self, callbacks: Sequence[keras.callbacks.Callback], all_of_them: keras.callbacks.CallbackList
    ) -> None:
        self._callbacks = all_of_them
        self._is_told = True  # of the end of the last execution that began
        self._watched = any(_watches(one, _OF_BATCHES) for one in callbacks)
        # Reading metrics takes longer than a small step.
        self._tells = any(_watches(one, _OF_BATCHES) for one in all_of_them.callbacks)
        compiled = getattr(all_of_them.model, "steps_per_execution", None)
        self._steps = (compiled or 1) if self._watched else 1

    def begin(self, step: int) -> None:
        """Tell that steps begin with this one of the epoch, from 0."""
        if step % self._steps == 0:
            self._callbacks.on_train_batch_begin(step)
        self._is_told = False

    def end(self, step: int, read_metrics: Callable[[], dict[str, float]], *, of_epoch: bool = False) -> None:
        """Tell that so many steps of the epoch have been taken, or that they were all."""
        if not self._is_told and (step % self._steps == 0 or of_epoch):
            self._is_told = True
            if self._tells:
                last = -(-step // self._steps) * self._steps - 1  # as if the last execution were a whole one
                self._callbacks.on_train_batch_end(last, read_metrics())

    def steps_left(self, step: int) -> int:
        """Return after how many steps, from this one of the epoch, somebody wants to hear of them."""
        return self._steps - step % self._steps if self._watched else sys.maxsize


class ValidationBatches:
    """Tells callbacks of each batch that is validated on.

    Args:
        callbacks: All of them.
    """

    def __init__(self, callbacks: keras.callbacks.CallbackList) -> None:
        self._callbacks = callbacks

    @classmethod
    def watched_by(
        cls, callbacks: Sequence[keras.callbacks.Callback], all_of_them: keras.callbacks.CallbackList
    ) -> ValidationBatches | None:
        """Return what tells callbacks of the batches, or None where none of them looks."""
        return cls(all_of_them) if any(_watches(one, _OF_VALIDATION) for one in callbacks) else None

    def begin(self, number: int) -> None:
        """Tell that a batch begins, counted from 0."""
        self._callbacks.on_test_batch_begin(number)

    def end(self, number: int, metrics: dict[str, Any]) -> None:
        """Tell that a batch has ended, with the metrics since validation began."""
        self._callbacks.on_test_batch_end(number, metrics)

"""Steps that a model has written itself: what they give, and every variable that they touch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from kexp.core.errors import InputError
from kexp.core.trainer_private import TouchedVariable, touched_variables
from kexp.core.types import Nest
from kexp.engine.tensorflow.compiled_metrics import plain_results


class OwnSteps:
    """A `train_step` or `test_step` of a model's own, called as Keras calls it inside a compiled loop.

    Args:
        model: The model.
        step: Its method.
        batch: A batch of tensors, as the method takes it; the first axis of the shapes stays open.
    """

    def __init__(self, model: Any, step: Callable[[Any], Any], batch: Nest) -> None:
        self._model = model
        self._step = step
        described = tf.nest.map_structure(_open, batch)
        # Traced once alone: what it makes at the first call, such as the state of an optimizer, cannot be
        # made inside a loop.
        self._traced = tf.function(step, autograph=False).get_concrete_function(described)
        results = self._traced.structured_outputs
        if not isinstance(results, Mapping) or not results:
            raise InputError(
                f"{step.__name__} of model {model.name} must return its metrics by name, as Keras asks for; "
                f"it returns {type(results).__name__}."
            )
        self._results = {
            name: tf.Variable(tf.zeros([size or 1 for size in result.shape], tf.float32), trainable=False)
            for name, result in _named(results).items()
        }

    @property
    def variables(self) -> list[Any]:
        """The results of the last step, which callbacks and the history get."""
        return list(self._results.values())

    def touched(self, known: list[Any]) -> list[TouchedVariable]:
        """Return the variables that a step reads or writes, but for those that are known."""
        return touched_variables(self._traced, known)

    def take(self, batch: Nest) -> tf.Tensor:
        """Take a step, inside a compiled function, and return its loss, or the sum of what it gives."""
        # Traced again would be all that the model computes, which takes seconds where it is large.
        step = self._step if tf.executing_eagerly() else self._traced
        results = {name: tf.cast(result, tf.float32) for name, result in _named(step(batch)).items()}
        for name, variable in self._results.items():
            variable.assign(tf.reshape(results[name], variable.shape))
        losses = [results[name] for name in results if name == "loss"] or list(results.values())
        return tf.add_n([tf.reduce_mean(loss) for loss in losses])

    def read(self) -> dict[str, float]:
        """Return the metrics of the model where its step returned these, else what the last step returned."""
        kept = self._model.get_metrics_result()
        names = {name for name in self._results if "/" not in name}
        return plain_results(kept if set(kept) == names else self._results)


def _named(results: Mapping[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, result in results.items():
        if isinstance(result, Mapping):
            named.update({f"{name}/{key}": value for key, value in _named(result).items()})
        else:
            named[name] = tf.convert_to_tensor(result)
    return named


def _open(tensor: Any) -> tf.TensorSpec:
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)

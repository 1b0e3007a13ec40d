"""The base of tasks whose model chooses among classes or tokens: cross-entropy, logits and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data.dataset import DatasetSpec, class_names
from kexp.tasks.base import Arrays, Task, require_rows
from kexp.tasks.expected_loss import smoothed_entropy
from kexp.tasks.metric_inputs import choice_inputs, is_f_score

if TYPE_CHECKING:
    import keras

LEAST = 1e-30  # of a probability, so that it has a logarithm in float32
# What the Hugging Face Hub calls it, by the kind of the data.
CLASSIFICATION_TAGS = {
    "image": "image-classification",
    "text": "text-classification",
    "table": "tabular-classification",
}


class Choice(Task):
    """A task of which the last axis of the outputs is a choice among exclusive classes."""

    has_logits: ClassVar[bool] = True
    undefined: ClassVar[str] = "not all classes are in it"

    def loss(self, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        from kexp.metrics.training.crossentropy import Crossentropy

        return Crossentropy(label_smoothing, from_logits)

    def metrics(self, spec: DatasetSpec, *, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
        return (self.accuracy("accuracy"),)

    def accuracy(self, name: str) -> keras.metrics.Metric:
        """Return the share of samples, pixels or tokens whose most probable class is their own."""
        import keras

        return keras.metrics.SparseCategoricalAccuracy(name=name)

    def loss_targets(self, targets: Tensor, outputs: Tensor) -> Any:
        """Return targets as they are, for one unit (batch, ..., 1) float32: the share of the second class."""
        from keras import ops

        if outputs.shape[-1] > 1:
            return targets
        if len(targets.shape) == len(outputs.shape):  # labels that were mixed
            return ops.cast(targets[..., -1:], "float32")
        return ops.cast(ops.expand_dims(targets, -1), "float32")

    def metric_inputs(
        self, metric: keras.metrics.Metric, targets: Tensor, outputs: Tensor, *, from_logits: bool
    ) -> tuple[Any, Any]:
        return choice_inputs(metric, targets, outputs, from_logits=from_logits)

    def component_names(self, spec: DatasetSpec) -> Sequence[str]:
        return class_names(spec)

    def result_names(self, metric: keras.metrics.Metric, count: int, spec: DatasetSpec) -> list[str | None]:
        """Return a name for each class; of Keras's F-scores of two classes that of the second alone."""
        if count == spec.outputs == 2 and is_f_score(metric):
            return [None, metric.name]
        return super().result_names(metric, count, spec)

    def units_apart(self, spec: DatasetSpec, units: int) -> bool:
        return units == 1

    def fits_outputs(self, spec: DatasetSpec, received: tuple[int, ...]) -> bool:
        wanted = self.output_shape(spec)
        return received == wanted or (spec.outputs == 2 and received == (*wanted[:-1], 1))

    def gives_logits(self, outputs: np.ndarray) -> bool:
        # Probabilities are positive and sum to one.
        sums_to_one = np.allclose(outputs.sum(axis=-1), 1.0, atol=1e-3) and bool((outputs >= 0).all())
        return not sums_to_one

    def least_loss(self, loss: Any, spec: DatasetSpec, label_smoothing: float) -> float:
        from kexp.metrics.training.crossentropy import Crossentropy

        return smoothed_entropy(label_smoothing, spec.outputs) if isinstance(loss, Crossentropy) else 0.0

    def _predictions_of(
        self, outputs: np.ndarray, spec: DatasetSpec, from_probabilities: bool
    ) -> dict[str, np.ndarray]:
        return self._chosen(class_probabilities(outputs, from_probabilities, spec.temperature), spec)

    def _chosen(self, probabilities: np.ndarray, spec: DatasetSpec) -> dict[str, np.ndarray]:
        """Return the predictions of (samples, ..., classes) probabilities."""
        return {"probabilities": probabilities}

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        require_rows(predictions.get("probabilities"), (samples, *self.output_shape(spec)))

    def tied(self, predictions: Arrays, tolerance: float, spec: DatasetSpec) -> np.ndarray | np.bool_:
        """Return where the two most probable classes are equally probable, (samples, ...) bool."""
        probabilities = predictions.get("probabilities")
        if probabilities is None:
            return np.False_
        ordered = np.sort(probabilities, axis=-1)
        return ordered[..., -1] - ordered[..., -2:].min(axis=-1) <= tolerance


def class_probabilities(
    outputs: np.ndarray, from_probabilities: bool, temperature: float | None = None
) -> np.ndarray:
    """Return (n, ..., classes) probabilities of what a model gives, which of two classes may be one unit.

    Args:
        outputs: (n, ..., classes), or (n, ..., 1) of two classes.
        from_probabilities: They are probabilities already.
        temperature: What logits are divided by, above 0 (Guo et al. 2017); default None: nothing.

    Example:
        >>> class_probabilities(np.array([[0.0], [-1000.0]]), from_probabilities=False).tolist()
        [[0.5, 0.5], [1.0, 0.0]]
        >>> class_probabilities(np.array([[0.8, 0.2]]), True, temperature=0.5).round(3).tolist()
        [[0.941, 0.059]]
    """
    if temperature is not None and not from_probabilities:
        outputs = outputs / np.asarray(temperature, outputs.dtype)
    if outputs.shape[-1] > 1:
        found = outputs if from_probabilities else softmax(outputs)
    else:
        positive = outputs if from_probabilities else sigmoid(outputs)
        found = np.concatenate([1 - positive, positive], axis=-1)
    return tempered(found, temperature) if temperature is not None and from_probabilities else found


def class_logits(outputs: np.ndarray, from_probabilities: bool) -> np.ndarray:
    """Return (n, ..., classes) float64 logits of what a model gives, whose softmax are its probabilities.

    Raises:
        InputError: They are probabilities of one unit, of which that of the other class is lost near 1.

    Example:
        >>> class_logits(np.array([[2.0]]), from_probabilities=False).tolist()
        [[0.0, 2.0]]
    """
    outputs = np.asarray(outputs, np.float64)
    if from_probabilities and outputs.shape[-1] == 1:
        raise InputError(
            "calibrate needs logits of a model of one unit, and this one ends in a sigmoid, near 1 of which "
            "too few digits are left; leave the sigmoid out."
        )
    if from_probabilities:
        return np.log(np.maximum(outputs, LEAST))
    return outputs if outputs.shape[-1] > 1 else np.concatenate([np.zeros_like(outputs), outputs], axis=-1)


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return what probabilities become when the logits that they are of are divided by a temperature.

    Example:
        >>> tempered(tempered(np.array([0.9, 0.1]), 2.0), 0.5).round(6).tolist()
        [0.9, 0.1]
    """
    divisor = np.asarray(temperature, probabilities.dtype)
    return softmax(np.log(np.maximum(probabilities, LEAST)) / divisor)


def served_probabilities(outputs: Any, from_probabilities: bool, temperature: float | None = None) -> Any:
    """Return what `class_probabilities` does, in operations of TensorFlow."""
    import tensorflow as tf

    outputs = tf.cast(outputs, tf.float32)  # (n, ..., classes)
    if temperature is not None and not from_probabilities:
        outputs = outputs / temperature
    if outputs.shape[-1] > 1:
        found = outputs if from_probabilities else tf.nn.softmax(outputs)
    else:
        positive = outputs if from_probabilities else tf.sigmoid(outputs)
        found = tf.concat([1 - positive, positive], axis=-1)
    if temperature is None or not from_probabilities:
        return found
    return tf.nn.softmax(tf.math.log(tf.maximum(found, LEAST)) / temperature)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of single logits.

    Example:
        >>> sigmoid(np.array([0.0, -1000.0, 1000.0])).tolist()
        [0.5, 0.0, 1.0]
    """
    # Of either sign's own exponential the one that does not overflow.
    powers = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1 / (1 + powers), powers / (1 + powers))


def softmax(logits: np.ndarray) -> np.ndarray:  # (n, ..., classes) float32 -> (n, ..., classes) float32
    """Return probabilities that sum to one over the last axis.

    Example:
        >>> softmax(np.array([0.0, 0.0, -1000.0])).tolist()
        [0.5, 0.5, 0.0]
    """
    # Without the largest logit taken off, exp overflows from about 89 on.
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)

"""The base of tasks whose model chooses among classes or tokens: cross-entropy, logits and probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.data.dataset import DatasetSpec
from kexp.tasks.base import Arrays, Task, require_rows
from kexp.tasks.expected_loss import smoothed_entropy

if TYPE_CHECKING:
    import keras


class Choice(Task):
    """A task of which the last axis of the outputs is a choice among exclusive classes."""

    has_logits: ClassVar[bool] = True

    def loss(self, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        from kexp.metrics.training.crossentropy import Crossentropy

        return Crossentropy(label_smoothing, from_logits)

    def metrics(self, spec: DatasetSpec, *, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
        import keras

        return (keras.metrics.SparseCategoricalAccuracy(name="accuracy"),)

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
        return self._chosen(outputs if from_probabilities else softmax(outputs), spec)

    def _chosen(self, probabilities: np.ndarray, spec: DatasetSpec) -> dict[str, np.ndarray]:
        """Return the predictions of (samples, ..., classes) probabilities."""
        return {"probabilities": probabilities}

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        require_rows(predictions.get("probabilities"), (samples, *self.output_shape(spec)))

    def tied(self, predictions: Arrays, tolerance: float) -> np.ndarray | np.bool_:
        """Return where the two most probable classes are equally probable, (samples, ...) bool."""
        probabilities = predictions.get("probabilities")
        if probabilities is None:
            return np.False_
        ordered = np.sort(probabilities, axis=-1)
        return ordered[..., -1] - ordered[..., -2:].min(axis=-1) <= tolerance


def softmax(logits: np.ndarray) -> np.ndarray:  # (n, ..., classes) float32 -> (n, ..., classes) float32
    """Return probabilities that sum to one over the last axis.

    Example:
        >>> softmax(np.array([0.0, 0.0, -1000.0])).tolist()
        [0.5, 0.5, 0.0]
    """
    # Without the largest logit taken off, exp overflows from about 89 on.
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)

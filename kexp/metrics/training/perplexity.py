"""Perplexity of tokens."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kexp.core.keras_private import lower_is_better

KNOWN_LOWER = ("perplexity",)


@keras.saving.register_keras_serializable(package="kexp")
class Perplexity(keras.metrics.Mean):
    """The exponential of the mean cross-entropy of tokens, in nats: a uniform choice among so many.

    Jelinek et al. 1977, "Perplexity: a measure of the difficulty of speech recognition tasks".

    Args:
        from_logits: Whether the predictions are logits, default True.

    Example:
        >>> import numpy as np
        >>> perplexity = Perplexity()
        >>> perplexity.update_state(np.array([[1, 3]]), np.zeros((1, 2, 4), "float32"))
        >>> round(float(perplexity.result()), 4)
        4.0
    """

    def __init__(self, from_logits: bool = True, name: str = "perplexity", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.from_logits = from_logits
        lower_is_better(self)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=self.from_logits)
        return super().update_state(losses, sample_weight=sample_weight)

    def result(self) -> Any:
        return ops.exp(super().result())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_logits": self.from_logits}

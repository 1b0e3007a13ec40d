"""Cross-entropy of class indices, of label distributions, and of one unit that stands for two classes."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kexp")
class Crossentropy(keras.losses.Loss):
    """Cross-entropy of class indices or of label distributions, with label smoothing.

    Args:
        label_smoothing: Share of a label spread evenly over all classes, default 0, from 0 to 0.5
            (Szegedy et al. 2016).
        from_logits: Whether the predictions are logits, default True.

    Predictions of (..., 1) are of the second of two classes, and are compared with (..., 1) shares of it.

    Example:
        >>> import numpy as np
        >>> logits = np.array([[2.0, 0.0]], "float32")
        >>> hard, soft = Crossentropy()(np.array([0]), logits), Crossentropy()(np.array([[1.0, 0.0]]), logits)
        >>> bool(hard == soft), round(float(hard), 4)
        (True, 0.1269)
    """

    def __init__(self, label_smoothing: float = 0.0, from_logits: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if y_pred.shape[-1] == 1:
            return keras.losses.binary_crossentropy(
                y_true, y_pred, from_logits=self.from_logits, label_smoothing=self.label_smoothing
            )
        indices = len(y_true.shape) < len(y_pred.shape)
        if indices and not self.label_smoothing:
            return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=self.from_logits)
        labels = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1]) if indices else y_true
        return keras.losses.categorical_crossentropy(
            labels, y_pred, from_logits=self.from_logits, label_smoothing=self.label_smoothing
        )

    def get_config(self) -> dict[str, Any]:
        own = {"label_smoothing": self.label_smoothing, "from_logits": self.from_logits}
        return {**super().get_config(), **own}

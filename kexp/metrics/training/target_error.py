"""The mean absolute error of one of several targets that are forecast."""

from __future__ import annotations

from typing import Any

import keras

from kexp.core.types import Tensor


@keras.saving.register_keras_serializable(package="kexp")
class TargetError(keras.metrics.MeanAbsoluteError):
    """The mean absolute error of some of the numbers of each sample.

    Args:
        first: Place of the first of them.
        count: How many there are, in a row.
        name: Of the metric.

    Example:
        >>> error = TargetError(first=1, count=2)
        >>> error.update_state([[0.0, 0.0, 0.0]], [[9.0, 1.0, 3.0]])
        >>> float(error.result())
        2.0
    """

    def __init__(self, first: int, count: int, name: str = "mean_absolute_error", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.first, self.count_of_steps = first, count

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Any:
        """Take account of a batch, (batch, numbers) each."""
        own = slice(self.first, self.first + self.count_of_steps)
        truth, values = (keras.ops.convert_to_tensor(one)[:, own] for one in (y_true, y_pred))
        return super().update_state(truth, values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "first": self.first, "count": self.count_of_steps}

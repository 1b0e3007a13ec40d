"""Layers of forecasters: the calendar as waves, scales of series, quantiles that cannot cross."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Any

import keras
from keras import layers, ops

from kexp.core.types import Shape, Tensor

__all__ = ["CalendarPhases", "CalendarWaves", "QuantileHead", "SeriesScale"]

_NARROW = -1.0  # softplus of it is 0.31, so that the deciles begin about as wide as those of a normal one


@keras.saving.register_keras_serializable(package="kexp")
class CalendarPhases(layers.Layer):
    """Seconds since 1970 as shares of the day, the week and the year that have passed.

    Args:
        periods: Seconds of each, 1 or more.

    Example:
        >>> CalendarPhases((86400,))(keras.ops.convert_to_tensor([86400 + 43200], "int64")).numpy().tolist()
        [[0.5]]
    """

    def __init__(self, periods: Sequence[int], **options: Any) -> None:
        super().__init__(**{**options, "dtype": "float32"})
        self.periods = tuple(periods)

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, periods) float32 of (batch,) int64."""
        # The rest first, in whole numbers: float32 tells seconds since 1970 apart by 128.
        rests = [ops.mod(inputs, ops.cast(period, inputs.dtype)) for period in self.periods]
        shares = [
            ops.cast(rest, "float32") / period for rest, period in zip(rests, self.periods, strict=True)
        ]
        return ops.stack(shares, axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape, len(self.periods))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "periods": list(self.periods)}


@keras.saving.register_keras_serializable(package="kexp")
class CalendarWaves(layers.Layer):
    """Sine and cosine of the time of day, week and year at each step around a forecast.

    Args:
        before: Steps before the first that is forecast.
        after: Steps from that on.
        speeds: By how much of each period a step goes on.

    Example:
        >>> CalendarWaves(1, 1, (0.25,))(keras.ops.ones((1, 1))).numpy().round(1).tolist()
        [[[-1.0, 0.0], [0.0, 1.0]]]
    """

    def __init__(self, before: int, after: int, speeds: Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        self.before, self.after, self.speeds = before, after, tuple(speeds)

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, before + after, 2 * periods) of (batch, periods) shares that have passed."""
        steps = ops.arange(-self.before, self.after, dtype="float32")
        moved = steps[:, None] * ops.convert_to_tensor(self.speeds, "float32")  # (steps, periods)
        angles = 2 * pi * (ops.cast(inputs, "float32")[:, None, :] + moved)
        return ops.cast(ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1), self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (input_shape[0], self.before + self.after, 2 * len(self.speeds))

    def get_config(self) -> dict[str, Any]:
        own = {"before": self.before, "after": self.after, "speeds": list(self.speeds)}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="kexp")
class SeriesScale(layers.Layer):
    """Mean and deviation of the training steps of a series, those of all for one that training had not.

    Args:
        means: Of each series.
        deviations: Of each series, above 0.

    Example:
        >>> places = keras.ops.convert_to_tensor([[0.0, 1.0], [0.0, 0.0]])
        >>> SeriesScale((1.0, 5.0), (2.0, 4.0))(places).numpy().tolist()
        [[5.0, 4.0], [3.0, 3.0]]
    """

    def __init__(self, means: Sequence[float], deviations: Sequence[float], **options: Any) -> None:
        super().__init__(**{**options, "dtype": "float32"})
        self.means, self.deviations = tuple(means), tuple(deviations)

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, 2) of (batch, series), 1 at the place of the series."""
        table = ops.convert_to_tensor([self.means, self.deviations], "float32")  # (2, series)
        known = ops.cast(inputs, "float32")
        unknown = 1.0 - ops.sum(known, axis=-1, keepdims=True)
        return ops.matmul(known, ops.transpose(table)) + unknown * ops.mean(table, axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (input_shape[0], 2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "means": list(self.means), "deviations": list(self.deviations)}


@keras.saving.register_keras_serializable(package="kexp")
class QuantileHead(layers.Layer):
    """Quantiles that cannot cross: the median, and what is added to it, ever more, on either side.

    The steps between neighbours are softplus functions, which are above 0.

    Args:
        levels: How many quantiles, odd; the median is the one in the middle.

    Example:
        >>> found = QuantileHead(3)(keras.ops.ones((2, 24, 8)))
        >>> found.shape, bool(keras.ops.all(found[..., 1:] >= found[..., :-1]))
        (TensorShape([2, 24, 3]), True)
    """

    def __init__(self, levels: int, **options: Any) -> None:
        # In float32: half precision would round neighbours to one another.
        super().__init__(**{**options, "dtype": "float32"})
        self.levels = levels
        self.project = layers.Dense(levels, dtype="float32", name="project")

    def build(self, input_shape: Shape) -> None:
        self.project.build(input_shape)

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, horizon, levels) of (batch, horizon, width)."""
        raw, middle = self.project(inputs), self.levels // 2
        median = raw[..., middle : middle + 1]
        if not middle:
            return median
        widths = ops.softplus(raw + _NARROW)
        above = median + ops.cumsum(widths[..., middle + 1 :], axis=-1)
        below = median - ops.flip(ops.cumsum(ops.flip(widths[..., :middle], axis=-1), axis=-1), axis=-1)
        return ops.concatenate([below, median, above], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape[:-1], self.levels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "levels": self.levels}

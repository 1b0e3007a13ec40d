"""Masks of series: which steps are real, and means over them."""

from __future__ import annotations

from typing import Any

from keras import ops

from kexp.core.types import Tensor


def masked_series(inputs: Tensor) -> tuple[Any, Any]:
    """Return series with 0 for what is missing, and which steps are not padding.

    A step whose channels are all NaN is padding if no step after it has a number. NaN elsewhere is a missing
    value, which 0 stands for: the mean, where channels are standardised.

    Args:
        inputs: (batch, steps, channels) float32.

    Returns:
        (batch, steps, channels) float32 without NaN, and the mask, (batch, steps) bool.

    Example:
        >>> nan = float("nan")
        >>> series, mask = masked_series(ops.array([[[1.0], [nan], [2.0], [nan]]]))
        >>> series[0, :, 0].numpy().tolist(), mask[0].numpy().tolist()
        ([1.0, 0.0, 2.0, 0.0], [True, True, True, False])
    """
    missing = ops.isnan(inputs)
    return ops.where(missing, 0.0, inputs), until_last(ops.logical_not(ops.all(missing, axis=-1)))


def until_last(known: Tensor) -> Any:
    """Return (batch, steps) bool, True up to the last step that is known; padding is what follows.

    Example:
        >>> until_last(ops.array([[True, False, True, False]]))[0].numpy().tolist()
        [True, True, True, False]
    """
    left = ops.cumsum(ops.flip(ops.cast(known, "int32"), axis=1), axis=1)  # known steps from here on
    return ops.flip(left, axis=1) > 0


def masked_mean(x: Tensor, mask: Tensor) -> Any:
    """Return (batch, width) float32, the mean of (batch, steps, width) where the mask holds; 0 if nowhere."""
    kept = ops.expand_dims(ops.cast(mask, "float32"), -1)  # (batch, steps, 1)
    total = ops.sum(ops.cast(x, "float32") * kept, axis=1)
    return total / ops.maximum(ops.sum(kept, axis=1), 1.0)


def zeroed(x: Tensor, mask: Tensor) -> Any:
    """Return (batch, steps, width) with 0 where the mask does not hold.

    What bias and normalisation leave in the padding would reach the last steps in the next convolution.
    """
    return ops.where(ops.expand_dims(mask, -1), x, 0.0)


def window_moments(x: Tensor, mask: Tensor) -> tuple[Any, Any]:
    """Return the mean and the deviation of each series by itself, (batch, 1, channels) float32.

    Args:
        x: (batch, steps, channels).
        mask: (batch, steps) bool, the steps that count.

    Returns:
        The deviation is above 0, of a constant series too.

    Example:
        >>> series = ops.array([[[1.0], [3.0], [9.0]], [[0.0], [0.0], [0.0]]])
        >>> mean, deviation = window_moments(series, ops.array([[True, True, False]] * 2))
        >>> mean.numpy().ravel().tolist(), deviation.numpy().ravel().round(3).tolist()
        ([2.0, 0.0], [1.0, 0.0])
    """
    mean = ops.expand_dims(masked_mean(x, mask), 1)
    variance = ops.expand_dims(masked_mean(ops.square(x - mean), mask), 1)
    # Of a constant series the rounding of the mean is left, which is no signal.
    least = 1e-5 * ops.absolute(mean) + 1e-12
    return mean, ops.sqrt(ops.maximum(variance, ops.square(least)))

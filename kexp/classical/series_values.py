"""Series as classical methods take them: without padding, at one scale."""

from __future__ import annotations

import numpy as np

from kexp.data.dataset import Dataset, single_array
from kexp.data.series import goes_on

_MOST_LOOKED_AT = 1000  # series


def is_series(data: Dataset) -> bool:
    """Return whether inputs are series of one length, padded or not, that are no windows of one and no
    sounds.

    Example:
        >>> import kexp
        >>> is_series(kexp.data.load("japanese_vowels")), is_series(kexp.data.load("digits"))
        (True, False)
    """
    spec = data.spec
    known = spec.kind == "series" and len(spec.input_shape) == 2 and all(spec.input_shape)
    return known and spec.sample_rate is None and not is_forecast(data)


def is_forecast(data: Dataset) -> bool:
    """Return whether training samples are windows of series, and targets the steps that follow.

    Example:
        >>> import kexp
        >>> is_forecast(kexp.data.windows("sunspots", history=22, test=40))
        True
    """
    spec, train = data.spec, data.train
    if spec.forecast_form is not None:
        return True
    if spec.kind != "series" or len(spec.input_shape) != 2:
        return False
    targets = np.asarray(train.targets[:_MOST_LOOKED_AT])
    return targets.ndim == 2 and goes_on(np.asarray(single_array(train.inputs)[:_MOST_LOOKED_AT]), targets)


def z_normalized(series: np.ndarray) -> np.ndarray:
    """Return series of mean 0 and deviation 1 by channel, their padding 0.

    Args:
        series: (samples, steps, channels), steps of padding NaN.

    Example:
        >>> z_normalized(np.array([[[1.0], [3.0], [np.nan]]])).ravel().tolist()
        [-1.0, 1.0, 0.0]
    """
    known = np.isfinite(series)
    counts = np.maximum(known.sum(axis=1, keepdims=True), 1)
    zeroed = np.where(known, series, 0).astype(np.float32)
    centred = np.where(known, zeroed - zeroed.sum(axis=1, keepdims=True) / counts, 0)
    deviation = np.sqrt((centred**2).sum(axis=1, keepdims=True) / counts)
    return (centred / np.where(deviation > 1e-8, deviation, 1)).astype(np.float32)

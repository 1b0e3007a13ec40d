"""Series are standardised by their real steps alone."""

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError


def test_a_series_gets_mean_zero_and_deviation_one_over_its_real_steps():
    data = kexp.data.load("japanese_vowels")
    series = data.train.inputs
    scaled = np.asarray(kexp.models.series_preprocessing(series)(series))
    assert (scaled.shape, scaled.dtype) == (series.shape, np.float32)
    np.testing.assert_array_equal(np.isnan(scaled), np.isnan(series))
    np.testing.assert_allclose(np.nanmean(scaled, axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(scaled, axis=(0, 1)), 1, atol=1e-4)


def test_a_constant_channel_becomes_zero_and_a_table_is_no_series():
    series = np.full((3, 4, 1), 0.1, "float32")
    assert not np.asarray(kexp.models.series_preprocessing(series)(series)).any()
    with pytest.raises(InputError, match=r"shape \(samples, steps, channels\), received \(3, 4\)"):
        kexp.models.series_preprocessing(series[..., 0])


def test_a_series_is_scaled_in_float32_under_a_mixed_precision_policy():
    series = np.arange(2000, 2024, dtype="float32").reshape(2, 12, 1)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        scaled = np.asarray(kexp.models.series_preprocessing(series)(series))
    finally:
        keras.config.set_dtype_policy("float32")
    assert scaled.dtype == np.float32
    assert len(np.unique(scaled)) == 24

"""Forecasts that need no training are measured on the same data, by the same figures."""

import numpy as np
import pytest

import kexp


def test_baselines_are_measured_beside_the_model_on_validation_and_test_data(tmp_path):
    data = kexp.data.windows("sunspots", history=22, horizon=3, test=40)
    model = kexp.models.mlp((22, 1), 3, hidden=(4,), **kexp.models.output_scaling(data))
    result = kexp.fit(
        model,
        data,
        baselines={"seasonal": kexp.metrics.naive_forecast(3, season=11)},
        epochs=1,
        quiet=True,
        run_dir=str(tmp_path / "run"),
    )
    for part, split in (("val", data.validation), ("test", data.test)):
        wrong = split.inputs[:, 11:14, 0] - split.targets
        assert result.metrics[f"{part}_seasonal_mean_absolute_error"] == pytest.approx(np.abs(wrong).mean())
        assert result.metrics[f"{part}_seasonal_root_mean_squared_error"] == pytest.approx(
            np.sqrt((wrong**2).mean())
        )
        outputs = result.predict(split.inputs).values
        assert result.metrics[f"{part}_mean_absolute_error"] == pytest.approx(
            np.abs(outputs - split.targets).mean(), rel=1e-4
        )
    assert kexp.load(result.run_dir).metrics == result.metrics


def test_a_season_longer_than_the_history_is_refused():
    with pytest.raises(kexp.InputError, match="season must be at most the 5 steps of history"):
        kexp.metrics.naive_forecast(2, season=11)(np.zeros((1, 5, 1)))

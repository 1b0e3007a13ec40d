"""The page of a forecast: truth and forecast over the steps, beside what needs no training."""

import numpy as np
import pytest

from kexp import recipes
from kexp.report.judged_values import JudgedValues
from kexp.report.sections.run.forecast_curves import band
from tests.report.test_sweep_page import Reader


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("forecast") / "run"
    return recipes.lstm_forecast(epochs=1, horizon=3, quiet=True, run_dir=str(run_dir))


def test_a_page_draws_forecasts_and_has_the_naive_ones_in_its_headline(forecast):
    text = Reader(forecast.report().read_text("utf-8")).text
    assert "Forecasts" in text
    assert text.count("What came before sample") >= 4
    naive = forecast.metrics["test_seasonal_naive_root_mean_squared_error"]
    assert f"seasonal naive {naive:.4g}" in text


def test_a_regression_of_series_that_do_not_follow_on_one_another_has_no_forecasts(tmp_path):
    import kexp

    random = np.random.default_rng(0)
    series = random.normal(size=(60, 5, 1)).astype("float32")
    model = kexp.models.rnn((5, 1), 1, units=(4,))
    result = kexp.fit(model, series, series.mean(axis=1), validation_split=0.3, epochs=1, quiet=True)
    page = result.report(tmp_path / "page.html", data=(series, series.mean(axis=1)))
    assert "Forecasts" not in Reader(page.read_text("utf-8")).text


def test_a_band_holds_nine_of_ten_residuals_of_each_step():
    random = np.random.default_rng(0)
    truth = random.normal(size=(500, 2)) * [1.0, 10.0]
    judged = JudgedValues(("a", "b"), truth, np.zeros((500, 2)))
    low, high = band(judged)
    assert np.mean((truth >= low) & (truth <= high), axis=0) == pytest.approx([0.9, 0.9], abs=0.01)

"""The recipe for forecasts: what it measures, its page, and its export, asked with a file."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp.cli.app import main
from kexp.core.errors import InputError
from kexp.metrics import weighted_quantile_loss
from kexp.report import recorded_data
from tests.report.test_sweep_page import Reader

STEPS = 140
COLUMNS = {"target": "load", "time": "hour", "series": "area", "past": ("cloud",), "future": ("holiday",)}


def table():
    random, tables = np.random.default_rng(0), []
    hours = pd.date_range("2024-01-01", periods=STEPS, freq="h").strftime("%Y-%m-%d %H:%M")
    for name, level in (("east", 40.0), ("west", 900.0)):
        load = level * (3 + np.sin(2 * np.pi * np.arange(STEPS) / 24) + 0.1 * random.normal(size=STEPS))
        facts = {"cloud": random.random(STEPS), "holiday": (np.arange(STEPS) % 48 < 24).astype(int)}
        tables.append(pd.DataFrame({"hour": hours, "area": name, "load": load, **facts}))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def loads(tmp_path_factory):
    path = tmp_path_factory.mktemp("loads") / "loads.csv"
    table().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(loads, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    sizes = {"horizon": 6, "context": 24, "epochs": 2, "quiet": True}
    return kexp.recipes.forecast(loads, **COLUMNS, **sizes, run_dir=str(folder))


def test_metrics_of_a_run_are_those_of_its_predictions(run):
    data = recorded_data(run)
    found = run.predict(dict(data.test.inputs))
    assert (found.values == found.quantiles[..., 4]).all()
    assert run.metrics["test_wql"] == pytest.approx(
        weighted_quantile_loss(data.test.targets, found.quantiles, data.form.quantiles), rel=1e-4
    )
    units = {}
    for series, name in enumerate(data.panel.names):
        known = data.panel.target[series, : data.origins["train"][-1, 1] + 6]
        units[name] = np.abs(known[24:] - known[:-24]).mean()
    scales = np.array([units[name] for name in data.test.inputs["series"]])[:, None]
    assert run.metrics["test_mase"] == pytest.approx(
        (np.abs(data.test.targets - found.values) / scales).mean(), rel=1e-4
    )
    assert {"val_crps", "test_smape", "test_seasonal_naive_mean_absolute_error"} <= run.metrics.keys()


def test_the_page_draws_forecasts_with_their_intervals(run):
    text = Reader(run.report().read_text("utf-8")).text
    assert "Forecasts with intervals" in text
    assert text.count("of the truth in the band") >= 6
    assert "which should hold 80 % of the truth" in text


def test_an_export_forecasts_from_a_file_with_what_is_known_ahead(run, loads, tmp_path, capsys):
    run.export(tmp_path / "served")
    ahead = pd.read_csv(loads)
    unknown = ahead["hour"] >= "2024-01-06 14"
    ahead.loc[unknown, ["load", "cloud"]] = np.nan
    ahead.to_csv(tmp_path / "ahead.csv", index=False)
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(tmp_path / "served"), str(tmp_path / "ahead.csv")])
    assert not ended.value.code
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["area"] for row in rows] == ["east", "west"]
    assert {row["first hour"] for row in rows} == {"2024-01-06 14:00:00"}
    own = run.predict(ahead)
    assert float(rows[1]["load+6"]) == pytest.approx(own.values[1, 5], rel=1e-4)
    assert float(rows[1]["load+6 q0.9"]) == pytest.approx(own.quantiles[1, 5, 8], rel=1e-4)
    short = ahead[ahead["hour"] < "2024-01-06 14"]
    with pytest.raises(
        InputError, match="'holiday', which is to be known ahead, has no value at 2024-01-06 14"
    ):
        kexp.load_exported(tmp_path / "served").predict(short)


def test_arguments_that_do_not_fit_are_said(loads):
    with pytest.raises(InputError, match=r"quantiles=\(0.1, 0.9\): expected levels"):
        kexp.recipes.forecast(loads, **COLUMNS, quantiles=(0.1, 0.9))
    with pytest.raises(InputError, match=r"future=.*hollyday.*did you mean 'holiday'"):
        kexp.recipes.forecast(loads, **{**COLUMNS, "future": ("hollyday",)})
    with pytest.raises(InputError, match="the column is past already"):
        kexp.recipes.forecast(loads, **{**COLUMNS, "future": ("cloud",)})


def test_what_is_wrong_with_windows_is_looked_for_before_training(loads):
    findings = kexp.check(kexp.recipes.forecast, data=loads, **COLUMNS, horizon=6, context=24)
    said = {one.name: one.message for one in findings.findings}
    assert said["test rows"].startswith("none of 14 test rows")


@pytest.mark.slow
def test_several_targets_are_forecast_measured_and_compared_each_by_itself(loads, tmp_path, capsys):
    given = {**COLUMNS, "target": ["load", "cloud"], "past": (), "horizon": 6, "context": 24, "epochs": 2}
    line = ["--target", "load", "cloud", "--time", "hour", "--series", "area", "--future", "holiday"]
    sizes = [
        "--horizon",
        "6",
        "--context",
        "24",
        "--epochs",
        "2",
        "--run-dir",
        str(tmp_path / "run"),
        "--compare",
    ]
    with pytest.raises(SystemExit) as ended:
        main(["run", "forecast", "--data", str(loads), *line, *sizes, "--scaling", "series"])
    assert not ended.value.code
    assert "classical method             cloud: Autoregression AR(" in capsys.readouterr().out
    run, data = kexp.load(tmp_path / "run"), kexp.data.forecast_windows(loads, **windowed(given))
    found, truth = run.predict(dict(data.test.inputs)), data.test.targets
    assert found.quantiles.shape == (len(truth), 12, 9)
    losses = [
        weighted_quantile_loss(truth[:, own], found.quantiles[:, own], data.form.quantiles)
        for own in (slice(6), slice(6, 12))
    ]
    measured = [run.metrics[f"test_wql{ending}"] for ending in ("_load", "_cloud", "")]
    assert measured == pytest.approx([*losses, np.mean(losses)], rel=1e-4)
    assert run.metrics["test_mase"] == pytest.approx(
        (run.metrics["test_mase_load"] + run.metrics["test_mase_cloud"]) / 2
    )
    off = np.abs(found.values[:, 6:] - truth[:, 6:]).mean()
    assert run.metrics["test_mean_absolute_error_cloud"] == pytest.approx(off, rel=1e-4)
    assert "test_naive_mean_absolute_error_cloud" in run.metrics
    figure = run.classical.outputs["load"].best
    assert figure.network == pytest.approx(run.metrics["test_root_mean_squared_error_load"], rel=1e-5)
    page = Reader(run.report().read_text("utf-8")).text
    assert "Quantiles of cloud" in page
    assert "load: Autoregression AR(" in page
    run.export(tmp_path / "served")
    ahead = pd.read_csv(loads)
    ahead.loc[ahead["hour"] >= "2024-01-06 14", ["load", "cloud"]] = np.nan
    own, served = run.predict(ahead), kexp.load_exported(tmp_path / "served").predict(ahead)
    assert served.values == pytest.approx(own.values, rel=1e-4)
    assert list(own.to_frame(run.spec).columns[5:8]) == ["load+6", "cloud+1", "cloud+2"]


def windowed(given):
    return {**{name: value for name, value in given.items() if name != "epochs"}, "test": 12}


@pytest.mark.slow
def test_what_a_forecaster_goes_by_is_measured_on_its_medians(run):
    inputs = {name: values[:4] for name, values in run.example_inputs().items()}
    found = run.explain(inputs).importance
    assert found.metric == "R²"
    assert "target" in found.columns

"""Backtests: forecasts at cuts in time, each from what was known then, beside those computed by hand."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp.cli.app import main
from kexp.core.errors import InputError
from tests.report.test_sweep_page import Reader

SHORT = {"epochs": 1, "quiet": True, "horizon": 4, "context": 12, "season": 6}
COLUMNS = {"target": "y", "time": "day", "series": "shop"}
STEPS = 120


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=STEPS, freq="D")
    tables = [
        pd.DataFrame({"day": days, "shop": name, "y": level + random.normal(size=STEPS).cumsum()})
        for name, level in (("a", 50.0), ("b", 500.0))
    ]
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def found(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("backtest") / "b"
    return kexp.backtest(kexp.recipes.forecast, cuts=3, step=2, dir=folder, data=table, **COLUMNS, **SHORT)


def test_naive_forecasts_and_their_metrics_are_those_computed_by_hand(table, found):
    wide = table.pivot(index="day", columns="shop", values="y").to_numpy()
    scaled = []
    for cut in (STEPS - 8, STEPS - 6, STEPS - 4):
        for series in range(2):
            unit = np.abs(wide[6 : STEPS - 8, series] - wide[: STEPS - 14, series]).mean()
            scaled += [abs(wide[cut + ahead, series] - wide[cut - 1, series]) / unit for ahead in range(4)]
    assert found.to_frame().loc["naive", "mase"] == pytest.approx(np.mean(scaled), rel=1e-5)
    rows = found.forecasts
    naive = rows[rows["method"] == "naive"]
    assert len(naive) == 3 * 2 * 4
    last = naive[(naive["series"] == "b") & (naive["cut"] == found.cuts[-1])]
    assert last["value"].to_numpy() == pytest.approx(wide[STEPS - 5, 1])
    assert last["truth"].to_numpy() == pytest.approx(wide[STEPS - 4 :, 1])


def test_the_network_is_trained_on_nothing_after_the_first_cut(found):
    config = json.loads((found.dir / "training_0" / "config.json").read_text("utf-8"))
    assert (config["arguments"]["test"], config["arguments"]["leave_out"]) == (8, 0)
    assert found.cuts[0] == "2024-04-22 00:00:00"
    rows = found.forecasts
    own = rows[rows["method"] == "nlinear"]
    result = kexp.load(found.dir / "training_0")
    assert len(own) == 24
    assert result.metrics["test_mase"] > 0
    methods = {"nlinear", "naive", "seasonal_naive", "autoregression", "exponential_smoothing"}
    assert set(found.to_frame().index) == methods
    assert set(found.by_series().index.get_level_values("series")) == {"a", "b"}


def test_the_same_line_again_gives_what_was_recorded_and_another_one_is_refused(table, found):
    given = {"cuts": 3, "step": 2, "dir": found.dir, "data": table, **COLUMNS, **SHORT}
    again = kexp.backtest(kexp.recipes.forecast, **given)
    assert again == found == kexp.load_backtest(found.dir)
    for other in ({"cuts": 2}, {"data": table.assign(y=table["y"] + 1)}):
        with pytest.raises(InputError, match="holds a backtest of other arguments or data"):
            kexp.backtest(kexp.recipes.forecast, **{**given, **other})


def test_a_page_shows_all_methods_at_every_cut_and_by_the_step(found, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", str(found.dir)])
    assert not ended.value.code
    path = found.dir / "report.html"
    assert capsys.readouterr().out.strip() == str(path)
    text = Reader(path.read_text("utf-8")).text
    for words in ("Metrics of all cuts", "MASE by cut", "WQL by cut", "WQL by step", "seasonal naive"):
        assert words in text
    assert text.count("of the truth in the band") == 2 * 3
    naive = found.by_cut().loc[(found.cuts[1], "naive"), "mase"]
    assert f"{naive:.4g}" in text
    by_step = found.by_step().xs("naive", level="method")
    assert list(by_step.index) == [1, 2, 3, 4]
    assert by_step["mase"].mean() == pytest.approx(found.to_frame().loc["naive", "mase"])


def test_names_on_the_page_are_text_and_the_table_of_a_backtest_is_read_once(table, tmp_path):
    given = table.rename(columns={"y": "<i>y"}).replace({"shop": {"a": "<b>a"}})
    given.to_csv(tmp_path / "t.csv", index=False)
    opened = _opened(tmp_path / "t.csv", lambda: kexp.data.forecast_windows(tmp_path / "t.csv", **READ))
    sizes = {**SHORT, "epochs": 1, "dir": tmp_path / "b", "cuts": 2}
    columns = {**COLUMNS, "target": "<i>y"}
    recipe, path = kexp.recipes.forecast, tmp_path / "t.csv"
    again = _opened(path, lambda: kexp.backtest(recipe, data=path, **columns, **sizes))
    assert 0 < again == opened
    page = kexp.load_backtest(tmp_path / "b").report().read_text("utf-8")
    assert "<b>a" not in page
    assert "&lt;b&gt;a" in page


READ = {**COLUMNS, "target": "<i>y", "horizon": 4, "context": 12, "test": 8}


def _opened(path, act):
    """Return how often a file is opened."""
    counts = [0, True]

    def heard(event, arguments):
        if counts[1] and event == "open" and str(arguments[0]) == str(path):
            counts[0] += 1

    sys.addaudithook(heard)
    act()
    counts[1] = False
    return counts[0]


@pytest.mark.slow
def test_a_network_is_trained_anew_by_the_cuts(table, tmp_path):
    given = {"data": table, **COLUMNS, **SHORT}
    found = kexp.backtest(kexp.recipes.forecast, cuts=3, refit_every=2, dir=tmp_path / "b", **given)
    assert found.trainings == 2
    for number, (test, left) in enumerate([(8, 4), (4, 0)]):
        config = json.loads((found.dir / f"training_{number}" / "config.json").read_text("utf-8"))
        assert (config["arguments"]["test"], config["arguments"]["leave_out"]) == (test, left)
    rows = found.forecasts
    assert len(rows[rows["method"] == "nlinear"]) == 3 * 2 * 4


@pytest.mark.slow
def test_several_targets_are_measured_each_by_itself_and_in_the_mean(table, tmp_path):
    both = table.assign(z=table["y"] * 10 + 3)
    columns = {**COLUMNS, "target": ["y", "z"]}
    found = kexp.backtest(
        kexp.recipes.forecast, cuts=2, dir=tmp_path / "b", data=both, **columns, **{**SHORT, "epochs": 1}
    )
    by_target, whole = found.by_target(), found.to_frame()
    assert len(by_target) == 2 * 5
    # What is ten times as large is off by ten times as much, and by as many of its own units.
    assert by_target.loc[("z", "naive"), "rmse"] == pytest.approx(
        10 * by_target.loc[("y", "naive"), "rmse"], rel=1e-4
    )
    assert by_target.loc[("z", "naive"), "mase"] == pytest.approx(whole.loc["naive", "mase"], rel=1e-4)
    own = by_target.xs("nlinear", level="method")["mase"]
    assert whole.loc["nlinear", "mase"] == pytest.approx(own.mean())
    assert kexp.load_backtest(found.dir) == found
    assert len(found.by_cut()) == 2 * 5


def test_by_target_is_of_several_targets(found):
    with pytest.raises(InputError, match="by_target is of several targets, and this backtest is of one"):
        found.by_target()


def test_what_no_backtest_can_use_is_said(table, tmp_path, capsys):
    with pytest.raises(InputError, match="recipe must take horizon, test and leave_out"):
        kexp.backtest(kexp.recipes.mlp_tabular, data="iris")
    with pytest.raises(InputError, match="test must be left out of the recipe's arguments"):
        kexp.backtest(kexp.recipes.forecast, test=10)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files that are no backtest"):
        kexp.backtest(kexp.recipes.forecast, dir=tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["backtest", "forecast", "--cuts", "0"])
    assert ended.value.code == 2
    assert "cuts" in capsys.readouterr().err


def test_folds_of_forecasts_are_a_backtest():
    from kexp.data.folds import Fold, use_fold

    with use_fold(Fold(0, 3)), pytest.raises(InputError, match=r"kexp\.backtest"):
        kexp.data.forecast_windows("sunspots", context=20, horizon=3, test=9)

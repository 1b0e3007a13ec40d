"""Windows of a panel: what a forecast sees, where the parts end, and what is said of gaps and duplicates."""

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.data.forecast_inputs import latest_inputs

STEPS = 60
COLUMNS = {"target": "sold", "time": "hour", "series": "shop", "past": ("rain",), "future": ("promo",)}
SIZES = {"context": 8, "horizon": 3, "test": 9, "validation": 0.2}


@pytest.fixture
def shops():
    """Return a table of two shops, every number of which says what it is, of which shop, and when."""
    hours = pd.date_range("2024-03-01", periods=STEPS, freq="h")
    step = np.arange(STEPS, dtype=float)
    tables = [
        pd.DataFrame(
            {
                "hour": hours,
                "shop": name,
                "sold": 1000 * (number + 1) + step,
                "rain": 10_000 + step,
                "promo": 20_000 + step,
                "size": 50.0 * (number + 1),
                "region": ["north", "south"][number],
            }
        )
        for number, name in enumerate(("a", "b"))
    ]
    return pd.concat(tables, ignore_index=True)


def windows(table, **changes):
    return kexp.data.forecast_windows(table, **{**COLUMNS, **SIZES, **changes})


def test_a_window_sees_the_past_of_its_series_and_of_the_next_steps_what_is_known_ahead_alone(shops):
    data = windows(shops.sample(frac=1, random_state=0))
    inputs, targets = data.test.inputs, data.test.targets
    for sample, (series, first) in enumerate(data.origins["test"]):
        level = 1000 * (series + 1)
        assert inputs["series"][sample] == "ab"[series]
        assert inputs["target"][sample].tolist() == [level + step for step in range(first - 8, first)]
        assert inputs["past"][sample, :, 0].tolist() == [10_000 + step for step in range(first - 8, first)]
        around = range(first - 8, first + 3)
        assert inputs["future"][sample, :, 0].tolist() == [20_000 + step for step in around]
        assert targets[sample].tolist() == [level + step for step in range(first, first + 3)]
        assert inputs["time"][sample] == pd.Timestamp("2024-03-01").timestamp() + 3600 * first
    assert any("order of 'hour'" in note for note in data.notes)


def test_no_target_of_an_earlier_part_reaches_into_a_later_one(shops):
    data = windows(shops)
    ends = {part: rows[:, 1].max() + 3 for part, rows in data.origins.items()}
    starts = {part: rows[:, 1].min() for part, rows in data.origins.items()}
    assert ends["train"] <= starts["validation"]
    assert ends["validation"] <= starts["test"] == STEPS - 9
    assert ends["test"] == STEPS
    left = windows(shops, leave_out=10)
    assert left.origins["test"][:, 1].max() + 3 == STEPS - 10


def test_what_comes_after_the_cut_changes_nothing_before_it(shops):
    later = shops.copy()
    later.loc[later["hour"] >= shops["hour"][STEPS - 9], ["sold", "rain"]] *= -7
    for part in ("train", "validation"):
        before, after = (getattr(windows(table), part) for table in (shops, later))
        for name in before.inputs:
            assert (before.inputs[name] == after.inputs[name]).all()
        assert (before.targets == after.targets).all()
        assert (before.sample_weight == after.sample_weight).all()


def test_two_rows_of_one_time_are_refused_by_their_numbers(shops):
    doubled = pd.concat([shops, shops.iloc[[70]]], ignore_index=True)
    with pytest.raises(InputError, match=r"rows 71 and 121 .* are both of '2024-03-01 10:00:00' of shop 'b'"):
        windows(doubled)
    with pytest.raises(InputError, match="name the column of several series"):
        windows(shops, series=None)


def test_a_missing_step_is_refused_by_its_time_left_out_or_held(shops):
    gone = shops.drop(index=[20, 21])
    gone.loc[75, "rain"] = np.nan
    with pytest.raises(InputError, match=r"lack 2 rows .* no row at 2024-03-01 20:00:00 of shop 'a'"):
        windows(gone)
    skipped = windows(gone, gaps="skip")
    assert np.isfinite(skipped.train.inputs["target"]).all()
    assert any("windows are left out" in note for note in skipped.notes)
    filled = windows(gone, gaps="fill")
    assert len(filled.train) > len(skipped.train)
    assert not np.isin(filled.train.targets, [1020.0, 1021.0]).any()
    held = [row for row, (series, first) in enumerate(filled.origins["train"]) if (series, first) == (0, 22)]
    assert filled.train.inputs["target"][held[0]].tolist()[-3:] == [1019.0, 1019.0, 1019.0]


def test_a_time_off_the_grid_is_refused_by_its_row(shops):
    shops.loc[5, "hour"] += pd.Timedelta(minutes=20)
    with pytest.raises(InputError, match="row 6 of 'DataFrame' is of '2024-03-01 05:20:00'"):
        windows(shops)


def test_months_are_one_step_apart_however_long_they_are():
    months = pd.DataFrame({"month": pd.date_range("2000-01-31", periods=80, freq="MS"), "y": np.arange(80.0)})
    data = kexp.data.forecast_windows(months, target="y", time="month", context=24, horizon=6, test=6)
    form = data.spec.forecast_form
    assert (form.months, form.season, len(form.periods)) == (1, 12, 1)
    assert data.test.inputs["time"][0] == pd.Timestamp("2006-04-01").timestamp()


def test_static_columns_are_facts_of_a_series_and_must_not_change(shops):
    data = windows(shops, static=("size", "region"))
    north = data.train.inputs["series"] == "a"
    assert set(data.train.inputs["static region"][north]) == {"north"}
    assert set(data.train.inputs["static"][north, 0]) == {50.0}
    with pytest.raises(InputError, match="static='rain': expected one value for all rows"):
        windows(shops, past=(), static=("rain",))


def test_series_of_another_size_count_the_same(shops):
    shops.loc[shops["shop"] == "b", "sold"] = 100 * np.arange(STEPS)
    weights = windows(shops).train.sample_weight
    small, large = (weights[windows(shops).train.inputs["series"] == name][0] for name in "ab")
    assert small == pytest.approx(100 * large)


def test_several_targets_are_looked_back_at_and_forecast_together(shops):
    shops.loc[20, "rain"] = np.nan
    data = windows(shops, target=["sold", "rain"], past=(), gaps="skip")
    one = windows(shops, gaps="skip")
    form, first = data.form, data.origins["test"][0, 1]
    assert (form.targets, form.output_names[2:4]) == (("sold", "rain"), ("sold+3", "rain+1"))
    assert data.test.inputs["target"].shape == (len(data.test), 8, 2)
    assert (data.test.inputs["target"][..., 0] == one.test.inputs["target"]).all()
    assert data.test.targets[0].tolist() == [1000.0 + first + step for step in range(3)] + [
        10_000.0 + first + step for step in range(3)
    ]
    assert not (data.origins["train"] == (0, 20)).all(axis=1).any()
    assert form.scales == (24.0, 24.0)
    spec = kexp.data.DatasetSpec.from_json(data.spec.to_json())
    assert spec.forecast_form == form
    ahead = shops.copy()
    ahead.loc[ahead["hour"] >= shops["hour"][STEPS - 3], ["sold", "rain"]] = np.nan
    assert latest_inputs(ahead, spec)["target"][0, -1].tolist() == [1000 + STEPS - 4, 10_000 + STEPS - 4]
    ahead.loc[STEPS - 4, "rain"] = np.nan
    with pytest.raises(InputError, match="column 'rain' has no value at 2024-03-03 08"):
        latest_inputs(ahead, spec)


def test_targets_that_are_none_or_named_twice_are_refused(shops):
    for given in ([], [3], 3):
        with pytest.raises(InputError, match="expected the name of a column, or of several in a list"):
            windows(shops, target=given)
    with pytest.raises(InputError, match="target='sold': the column is target already"):
        windows(shops, target=["sold", "sold"])
    with pytest.raises(InputError, match=r"target='solt': expected one of .*did you mean .sold."):
        windows(shops, target=["rain", "solt"], past=())


def test_the_latest_inputs_of_a_table_begin_after_the_last_known_target(shops):
    spec = windows(shops).spec
    ahead = shops.copy()
    ahead.loc[ahead["hour"] >= shops["hour"][STEPS - 3], ["sold", "rain"]] = np.nan
    found = latest_inputs(ahead, spec)
    assert found["target"][:, -1].tolist() == [1000 + STEPS - 4, 2000 + STEPS - 4]
    assert found["future"][0, -3:, 0].tolist() == [20_000 + STEPS - 3 + step for step in range(3)]
    with pytest.raises(
        InputError, match="'promo', which is to be known ahead, has no value at 2024-03-03 12"
    ):
        latest_inputs(shops, spec)
    with pytest.raises(InputError, match="8 known steps of 'sold' or more, received 4"):
        latest_inputs(shops.iloc[:4], spec)

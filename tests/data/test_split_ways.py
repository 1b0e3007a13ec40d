"""Parts by group and by time share no group and no moment; windows go by time and keep series apart."""

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

import kexp
from kexp.core.errors import InputError
from kexp.data import load, windows


def visits(patients=40, each=6):
    """Return visits whose measurements tell the patient, and whose outcome is a coin for each."""
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(patients), each)
    marks = rng.normal(size=(patients, 4))[patient] + rng.normal(size=(len(patient), 4)) * 0.05
    table = pd.DataFrame(marks, columns=[f"s{number}" for number in range(4)])
    table["patient"] = [f"P{number}" for number in patient]
    table["sick"] = np.where(rng.integers(0, 2, patients)[patient], "y", "n")
    return table


def stacked(split, names):
    return np.stack([split.inputs[name] for name in names], axis=1)


def accuracy(data):
    names = [f"s{number}" for number in range(4)]
    model = KNeighborsClassifier(1).fit(stacked(data.train, names), data.train.targets)
    return model.score(stacked(data.test, names), data.test.targets)


def test_repeated_patients_give_away_their_outcome_unless_they_are_a_group():
    assert accuracy(load(visits().drop(columns="patient"), target="sick")) > 0.95
    data = load(visits(), target="sick", group="patient")
    assert 0.2 < accuracy(data) < 0.8
    assert [one.name for one in data.spec.columns] == ["s0", "s1", "s2", "s3"]
    assert "no group of 'patient' is in two parts" in data.notes[-1]
    assert next(one.kind for one in data.spec.column_facts if one.name == "patient") == "group"


def test_the_test_part_by_group_is_the_same_whatever_the_seed():
    parts = [load(visits(), target="sick", group="patient", seed=seed) for seed in (0, 1)]
    assert parts[0].test.inputs["s0"].tolist() == parts[1].test.inputs["s0"].tolist()
    assert parts[0].validation.inputs["s0"].tolist() != parts[1].validation.inputs["s0"].tolist()


def test_an_input_whose_later_values_training_never_has_is_said_and_can_be_left_out():
    table = newest_first(shop=np.arange(120) % 7)
    beyond = "column 'date' is an input, of which later parts have what training never had; "
    advice = "columns={'date': 'ignore'} leaves it out."
    assert load(table, target="close", time="date").notes[-1] == beyond + advice
    data = load(table, target="close", time="date", columns={"date": "ignore"})
    assert [one.name for one in data.spec.columns] == ["shop"]
    assert data.test.targets.min() > data.validation.targets.max() > data.train.targets.max()
    assert not any(beyond in note for note in data.notes)


def test_rows_count_by_their_weight_in_the_loss(tmp_path):
    x = np.repeat([0.0, 1.0], 50)
    table = pd.DataFrame({"x": x, "y": np.tile([0.0, 1.0], 50), "w": np.tile([9.0, 1.0], 50)})
    data = load(table, target="y", weight="w", task="regression", validation=0.0, test=0.0)
    assert [one.name for one in data.spec.columns] == ["x"]
    assert data.train.sample_weight.tolist() == table["w"].tolist()
    result = kexp.recipes.mlp_tabular(
        data=table,
        target="y",
        task="regression",
        weight="w",
        hidden=(8,),
        epochs=60,
        quiet=True,
        run_dir=str(tmp_path / "run"),
    )
    assert result.predict({"x": [0.0, 1.0]}).values == pytest.approx(0.1, abs=0.2)
    model = kexp.models.mlp((1,), 1)
    with pytest.raises(InputError, match="sample_weight must be left out for data whose rows have weights"):
        kexp.fit(model, data, sample_weight=np.ones(100), run_dir=None)


def test_weights_of_rows_and_of_classes_exclude_each_other():
    table = visits().assign(w=1.0)
    with pytest.raises(InputError, match="class_weight must be left out for data whose rows have weights"):
        kexp.recipes.mlp_tabular(data=table, target="sick", weight="w", class_weight="balanced", run_dir=None)


def newest_first(**columns):
    days = pd.date_range("2022-01-01", periods=120, freq="D")
    return pd.DataFrame({"date": days.strftime("%d.%m.%Y"), "close": np.arange(120.0), **columns})[::-1]


def test_windows_of_a_table_that_is_newest_first_test_on_the_latest_days(tmp_path):
    newest_first().to_csv(tmp_path / "t.csv", index=False)
    data = windows(tmp_path / "t.csv", history=5, column="close", test=10)
    assert data.test.targets.ravel().tolist() == list(range(110, 120))
    assert data.train.inputs[0].ravel().tolist() == [0, 1, 2, 3, 4]
    assert data.notes == ("the rows are put in the order of 'date', which they were not in.",)
    in_order = windows(newest_first()[::-1], history=5, column="close", test=10)
    assert in_order.notes == ()


def test_windows_stay_within_one_of_several_series():
    table = pd.concat(
        [newest_first(shop="a"), newest_first(shop="b").assign(close=np.arange(1000.0, 1120.0)[::-1])]
    )
    data = windows(table.sample(frac=1, random_state=0), history=5, column="close", test=10, series="shop")
    for part in (data.train, data.validation, data.test):
        whole = np.concatenate([part.inputs[..., 0], part.targets], axis=1)
        assert (np.diff(whole, axis=1) == 1).all()
    assert sorted(data.test.targets.ravel()) == [*range(110, 120), *range(1110, 1120)]


def test_dates_of_all_series_are_in_one_format():
    days = pd.date_range("2022-01-01", periods=40)
    plain = pd.DataFrame({"date": days.strftime("%d/%m/%Y"), "close": np.arange(40.0), "shop": "a"})
    # Alone, these would be the 2nd of January and the 1st of February.
    doubtful = pd.DataFrame({"date": ["01/02/2021", "02/01/2021"] * 6, "close": np.arange(12.0), "shop": "b"})
    data = windows(pd.concat([plain, doubtful]), history=2, column="close", test=2, series="shop")
    assert data.test.targets.ravel().tolist() == [38, 39, 8, 10]


def test_missing_days_and_repeated_ones_are_said():
    table = newest_first()[::-1].drop(index=[50, 51, 52])
    table = pd.concat([table.iloc[:10], table.iloc[9:]])
    notes = " ".join(windows(table, history=5, column="close", test=10).notes)
    assert "1 rows have the 'date' of the row before" in notes
    assert "1 rows come later after the one before than usual by 'date', at most 4 times as late" in notes


def test_the_dates_of_several_series_are_read_in_one_format():
    days = pd.date_range("2024-01-01", periods=12).union(pd.date_range("2024-02-10", periods=20))
    early = days[days.day <= 12]
    table = pd.concat(
        [
            pd.DataFrame({"when": found.strftime("%d/%m/%Y"), "value": np.arange(len(found)), "key": key})
            for key, found in (("all", days), ("early", early))
        ]
    )
    data = windows(table, column="value", time="when", series="key", history=2, test=2, validation=0)
    assert data.test.targets.ravel().tolist() == [30, 31, len(early) - 2, len(early) - 1]
    assert not any("in the order of" in note for note in data.notes)


def test_a_row_without_its_time_is_no_part_of_a_series():
    table = newest_first()
    table.iloc[3, 0] = None
    with pytest.raises(InputError, match="the time 'date' is missing in 1 rows, the first is row 4 of 120"):
        windows(table, column="close", time="date", history=5, test=10)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time": "day"}, "time='day': expected one of the columns"),
        ({"series": "shop"}, "series='shop': expected one of the columns"),
        ({"time": "close", "column": "date"}, "column 'date'|finite"),
    ],
)
def test_columns_that_are_not_there_are_named(options, words):
    with pytest.raises(InputError, match=words):
        windows(newest_first(), **{"history": 5, "column": "close", "test": 10, **options})

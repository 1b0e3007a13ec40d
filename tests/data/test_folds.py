"""Folds: the rows that are held out in turn are those of scikit-learn's splitters, and no other part's."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

from kexp.core.errors import InputError
from kexp.data import load, one_class, windows
from kexp.data.cache import Cache, kept_data
from kexp.data.folds import Fold, FoldPlan, use_fold

ROWS = 60


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": np.arange(ROWS) + 0.5,
            "patient": rng.integers(0, 9, ROWS).astype(str),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.permutation(ROWS), unit="D"),
            "kind": rng.choice(["a", "b"], ROWS),
            "size": rng.normal(size=ROWS),
        }
    )


def loaded(frame, fold, **options):
    with use_fold(fold):
        return load(frame, **options)


def rows_of(part, frame):
    """Return the places of a part's rows in the table, by the column that has a value of its own in each."""
    places = dict(zip(frame["x"].astype(np.float32), range(len(frame)), strict=True))
    return [places[value] for value in part.inputs["x"].astype(np.float32)]


@pytest.mark.parametrize("kind", [str, int])
def test_folds_by_group_are_those_of_group_k_fold(frame, kind):
    frame = frame.assign(patient=(frame["patient"].astype(int) + 4).astype(kind))
    if kind is str:
        frame["patient"] = "p" + frame["patient"]
    expected = GroupKFold(4).split(frame, groups=frame["patient"])
    for number, (kept, held) in enumerate(expected):
        data = loaded(frame, Fold(number, 4), target="kind", group="patient", validation=0.2)
        assert data.test.rows.tolist() == held.tolist() == rows_of(data.test, frame)
        trained, validated = rows_of(data.train, frame), rows_of(data.validation, frame)
        assert sorted(trained + validated) == kept.tolist()
        groups = [{*frame["patient"].iloc[rows]} for rows in (trained, validated, held)]
        assert sum(map(len, groups)) == frame["patient"].nunique()


def test_folds_by_time_are_those_of_time_series_split(frame):
    order = np.argsort(frame["day"].to_numpy())
    for number, (kept, held) in enumerate(TimeSeriesSplit(4).split(order)):
        data = loaded(frame, Fold(number, 4), target="kind", time="day", validation=0.2)
        assert data.test.rows.tolist() == order[held].tolist() == rows_of(data.test, frame)
        parts = [rows_of(part, frame) for part in (data.train, data.validation)]
        assert [*parts[0], *parts[1]] == order[kept].tolist()


def test_rows_of_the_moment_at_which_a_fold_begins_and_of_its_gap_are_not_trained_on(frame):
    hours = frame.assign(day=np.repeat(np.arange(ROWS // 4), 4))
    for gap in (0.0, 2.0):
        data = loaded(hours, Fold(1, 3), target="kind", time="day", validation=0, gap=gap)
        trained = hours["day"].iloc[rows_of(data.train, hours)].max()
        assert trained < hours["day"].iloc[data.test.rows].min() - gap


def test_folds_of_classes_and_of_numbers_are_drawn_as_scikit_learn_draws_them(frame):
    for target, split, splitter in (
        ("kind", None, StratifiedKFold(3, shuffle=True, random_state=7)),
        ("kind", "random", KFold(3, shuffle=True, random_state=7)),
        ("size", None, KFold(3, shuffle=True, random_state=7)),
    ):
        for number, (_, held) in enumerate(splitter.split(frame, frame["kind"])):
            data = loaded(frame, Fold(number, 3, seed=7), target=target, split=split)
            assert data.test.rows.tolist() == held.tolist() == rows_of(data.test, frame)


def test_repeats_divide_the_rows_and_the_groups_anew(frame):
    for options in ({}, {"group": "patient"}):
        plan, held = FoldPlan(3, repeats=2), []
        for number in range(len(plan)):
            held.append(loaded(frame, plan.fold(number), target="kind", **options).test.rows)
        for repeat in (held[:3], held[3:]):
            assert sorted(np.concatenate(repeat)) == list(range(ROWS))
        assert {*map(tuple, held[:3])} != {*map(tuple, held[3:])}


def test_folds_for_validation_leave_the_test_part_as_it_always_is(frame):
    usual = load(frame, target="kind")
    held = []
    for number in range(3):
        data = loaded(frame, Fold(number, 3, part="validation"), target="kind")
        assert rows_of(data.test, frame) == rows_of(usual.test, frame)
        assert data.fingerprint == usual.fingerprint
        held += data.validation.rows.tolist()
    assert sorted(held + rows_of(usual.test, frame)) == list(range(ROWS))


def test_a_test_part_that_the_data_have_stays_unopened():
    x, y = np.arange(40, dtype=np.float32)[:, None], np.arange(40) % 2
    given = ((x[:30], y[:30]), (x[30:], y[30:]))
    data = loaded(given, Fold(0, 3), task="classification")
    seen = np.concatenate([part.inputs[:, 0] for part in (data.train, data.validation, data.test)])
    assert sorted(seen) == list(range(30))


def test_windows_are_held_out_step_by_step_after_all_that_they_are_trained_on():
    series, history = np.arange(40.0), 5
    for number, (kept, held) in enumerate(TimeSeriesSplit(3).split(series)):
        with use_fold(Fold(number, 3)):
            data = windows(series, history=history, test=4, validation=0.2)
        assert data.test.targets[:, 0].tolist() == held.tolist() == data.test.rows.tolist()
        targets = np.concatenate([data.train.targets[:, 0], data.validation.targets[:, 0]])
        assert targets.tolist() == kept[history:].tolist()
        with use_fold(Fold(number, 3, part="validation")):
            data = windows(series, history=history, test=4)
        assert data.test.targets[:, 0].tolist() == [36, 37, 38, 39]
        assert data.train.targets.max() < data.validation.targets.min()
        assert data.validation.targets.max() < 36


def test_a_data_set_that_is_divided_already_is_divided_anew_and_says_so():
    given = load("iris", test=0.2)
    data = loaded(given, Fold(0, 3))
    assert len(data.train) + len(data.validation) + len(data.test) == 120
    assert "take its samples for independent ones" in data.notes[-1]
    data = loaded(given, Fold(0, 3, part="validation"))
    assert data.test is given.test
    anomalies = one_class(loaded("iris", Fold(0, 3)))
    assert len(anomalies.test.rows) == len(anomalies.test) == 50


def test_data_that_are_kept_are_those_of_the_fold():
    with kept_data(Cache()):
        parts = [loaded("iris", fold).test.rows for fold in (Fold(0, 3), Fold(1, 3), Fold(0, 3))]
    assert parts[0].tolist() == parts[2].tolist() != parts[1].tolist()


@pytest.mark.parametrize(
    ("options", "folds", "words"),
    [
        ({"target": "kind", "group": "patient"}, 20, "expected 20 groups or more, received 9"),
        ({"target": "kind"}, 59, "expected 59 rows of the rarest class or more"),
        ({"target": "size"}, 61, "expected 61 rows or more, received 60"),
        ({"target": "kind", "time": "day"}, 60, "expected 61 rows or more"),
        ({"target": "kind", "time": "day", "gap": 50.0}, 3, "expected rows before the first"),
    ],
)
def test_too_many_folds_are_one_sentence(frame, options, folds, words):
    with pytest.raises(InputError, match=words):
        loaded(frame, Fold(0, folds), **options)

"""Classical methods are fitted to training rows, chosen on validation data and compared row by row."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp.classical import method_trials
from kexp.classical.classical_comparison import ClassicalComparison
from kexp.classical.linear_method import LinearMethod
from kexp.classical.method_trials import compare_methods
from kexp.data import Dataset, DatasetSpec, Split
from kexp.data.array_specs import Head
from kexp.data.splits import head
from kexp.metrics.intervals import difference_interval


def guesses(data, part="test"):
    """Return what a network that has learnt nothing predicts for a part: the first class, or the mean."""
    rows, spec = len(getattr(data, part)), data.spec
    if spec.task == "regression":
        return {"values": np.full((rows, spec.outputs), data.train.targets.mean(), np.float32)}
    probabilities = np.zeros((rows, spec.outputs), np.float32)
    probabilities[:, 0] = spec.task != "multilabel"
    return {"probabilities": probabilities}


def compared(data, seed=0):
    return compare_methods(data, data.test, guesses(data), "test_", seed)


def vowels():
    return kexp.data.load("japanese_vowels", validation=0.2)


def names():
    return kexp.data.load("first_names", validation=0.1)


def sunspots(horizon=3):
    return kexp.data.windows("sunspots", history=22, horizon=horizon, test=40, validation=0.15)


def labelled():
    """Labels that two numbers decide."""
    x = np.random.default_rng(0).normal(size=(300, 2)).astype("float32")
    return kexp.data.load((x, (x > 0).astype("float32")), task="multilabel", seed=0)


@pytest.mark.parametrize(
    ("made", "methods", "chosen", "at_least"),
    [
        (lambda: kexp.data.load("iris"), ["gradient_boosting", "logistic_regression"], None, 0.8),
        (lambda: kexp.data.load("digits"), ["logistic_regression_on_pixels"], None, 0.93),
        (vowels, ["nearest_neighbor", "random_convolutions"], "random_convolutions", 0.95),
        (names, ["logistic_regression_on_character_n_grams"], None, 0.85),
        (labelled, ["logistic_regression"], None, 0.9),
    ],
)
def test_the_methods_that_take_the_data_beat_a_guess(made, methods, chosen, at_least):
    found = compared(made())
    assert [method.name for method in found.methods] == methods
    assert found.chosen == (chosen or max(found.methods, key=lambda one: one.chosen_by).name)
    assert found.best.figure >= at_least
    assert found.best.interval[0] > 0.1
    assert found.best.interval[0] < found.best.difference < found.best.interval[1]
    assert "is better than the network by" in found.sentence


def test_numbers_of_a_table_are_predicted_by_ridge_regression_and_by_trees():
    data = kexp.data.load("diabetes")
    found = compared(data)
    assert [method.name for method in found.methods] == ["gradient_boosting", "ridge_regression"]
    assert found.chosen == "ridge_regression"
    assert found.best.figure < 60 < found.best.network
    assert found.best.interval[1] < 0
    assert "is better than the network by" in found.sentence
    assert "in root mean squared error" in found.sentence


def test_gaps_categories_and_dates_of_a_table_are_features_too(tmp_path):
    kinds, rng = ["red", "blue", "", "green"], np.random.default_rng(0)
    rows = [
        (kinds[number % 4], "" if number % 7 == 0 else str(rng.integers(99)), f"2024-01-{number % 28 + 1:02}")
        for number in range(300)
    ]
    lines = [f"{kind},{size},{day},{'ny'[kind == 'red' or day > '2024-01-20']}" for kind, size, day in rows]
    (tmp_path / "rows.csv").write_text("\n".join(["kind,size,day,wanted", *lines]))
    data = kexp.data.load(tmp_path / "rows.csv", target="wanted")
    assert {column.kind for column in data.spec.columns} == {"category", "number", "date"}
    figures = {method.name: method.figure for method in compared(data).methods}
    assert figures["gradient_boosting"] > 0.95
    assert figures["logistic_regression"] > 0.85


def test_sunspots_are_forecast_better_by_their_last_values_than_by_those_of_the_last_cycle():
    data = sunspots()
    found = compared(data)
    assert [method.name for method in found.methods] == ["autoregression"]
    seasonal = kexp.metrics.naive_forecast(3, season=11)(data.test.inputs)
    assert found.best.figure < np.sqrt(np.square(seasonal - data.test.targets).mean())
    assert found.sentence.startswith("Autoregression AR(")


def test_forecasts_of_several_series_are_compared_with_an_autoregression_of_all():
    random, days = np.random.default_rng(0), pd.date_range("2024-01-01", periods=300)
    tables = [
        pd.DataFrame(
            {"day": days, "shop": shop, "y": level + 5 * np.sin(np.arange(300)) + random.normal(size=300)}
        )
        for shop, level in (("a", 10.0), ("b", 30.0))
    ]
    data = kexp.data.forecast_windows(
        pd.concat(tables), target="y", time="day", series="shop", context=20, horizon=4, test=40
    )
    naive = np.repeat(data.test.inputs["target"][:, -1:], 4, axis=1)
    outputs = {"values": naive, "quantiles": np.repeat(naive[..., None], 9, axis=-1)}
    found = compare_methods(data, data.test, outputs, "test_", 0)
    assert [method.name for method in found.methods] == ["autoregression"]
    assert found.metric == "test_root_mean_squared_error"
    assert found.best.figure < 1.5 < 3 < found.best.network


def test_figures_are_the_same_again_and_whatever_numbers_were_drawn_in_between():
    first = compared(vowels(), seed=3)
    np.random.default_rng().normal()
    state = np.random.get_state()[1].copy()
    assert compared(vowels(), seed=3) == first
    assert (np.random.get_state()[1] == state).all()


def test_test_rows_choose_nothing():
    data = kexp.data.load("iris")
    turned = replace(data.test, targets=(data.test.targets + 1) % 3)
    found, other = compared(data), compared(replace(data, test=turned))
    assert found.chosen == other.chosen
    assert [one.chosen_by for one in found.methods] == [one.chosen_by for one in other.methods]
    assert found.best.figure > other.best.figure


def test_rows_beyond_the_rule_are_left_out_and_it_is_said(monkeypatch):
    monkeypatch.setattr(LinearMethod, "work", 64 * 10 * 250.0)
    best = compared(kexp.data.load("digits")).best
    assert (best.rows, best.measured_rows) == (250, 250)
    sentence = compared(kexp.data.load("digits")).sentence
    assert f", on 250 of {best.all_rows:,} rows, measured on 250 of {best.all_measured_rows:,}," in sentence
    monkeypatch.setattr(LinearMethod, "work", 64 * 10 * 150.0)
    assert compared(kexp.data.load("digits")).reason.startswith("no classical method fits such data")


def test_without_a_test_part_a_choice_is_made_on_training_rows_and_validation_data_is_measured():
    data = replace(kexp.data.load("iris"), test=None)
    found = compare_methods(data, data.validation, guesses(data, "validation"), "val_", 0)
    assert found.best.rows == found.best.all_rows == round(0.8 * len(data.train))
    assert found.sentence.startswith("On validation data, which the epoch was chosen on, ")
    assert list(found.metrics) == [
        "val_classical_gradient_boosting_accuracy",
        "val_classical_logistic_regression_accuracy",
    ]


def test_nothing_is_said_where_no_method_fits_or_there_is_nothing_to_learn():
    digits = kexp.data.load("digits")
    parts = replace(digits, spec=replace(digits.spec, task="reconstruction"))
    outputs = {"reconstruction": digits.test.inputs}
    found = compare_methods(parts, digits.test, outputs, "test_", 0)
    assert (found.reason, found.sentence) == ("no classical method is known here for reconstruction", "")
    same = replace(digits.train, targets=np.zeros_like(digits.train.targets))
    assert compared(replace(digits, train=same)).reason == "all training rows have the same target"


def test_what_is_not_finished_in_time_leaves_no_figure(monkeypatch):
    monkeypatch.setattr(method_trials, "LIMIT_S", 0.0)
    found = compared(kexp.data.load("iris"))
    assert found == ClassicalComparison(reason="not finished within 0 s")
    assert found.metrics == {}


def test_a_method_that_fails_is_recorded_and_takes_nothing_from_the_others(monkeypatch):
    def fit(*_):
        raise ValueError("a matrix is singular")

    monkeypatch.setattr(LinearMethod, "fit", fit)
    found = compared(kexp.data.load("iris"))
    assert found.chosen == "gradient_boosting"
    assert found.failures == {"logistic_regression": "a matrix is singular"}
    assert compared(kexp.data.load("digits")).failures == {
        "logistic_regression_on_pixels": "a matrix is singular"
    }


def test_the_interval_of_a_difference_holds_what_is_hard_for_both_constant():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=400) ** 2
    low, high = difference_interval(hard + 0.1 + 0.01 * rng.normal(size=400), hard)
    assert 0.09 < low < 0.1 < high < 0.11
    # Of independent values it is that of their means: 1.96 * sqrt(2 * 0.25 / 400) on either side.
    low, high = difference_interval(rng.random(400) < 0.5, rng.random(400) < 0.5)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(2 * 0.25 / 400), rel=0.1)


def several(x, kinds, sizes):
    """Return data with two outputs, of one of which the linear part decides."""
    heads = (Head("kind", "classification", 2), Head("score", "regression", 1))
    spec = DatasetSpec("array", (2,), "float32", "several", 0, heads=heads)
    targets = {"kind": kinds, "score": sizes}
    parts = [Split(x[own], {name: array[own] for name, array in targets.items()}) for own in PARTS]
    return Dataset("planted", *parts, spec, "0" * 64)


PARTS = (slice(0, 300), slice(300, 400), slice(400, 500))


def test_each_of_several_outputs_has_methods_of_its_own():
    random = np.random.default_rng(0)
    x = random.normal(size=(500, 2)).astype("float32")
    kinds, sizes = (x[:, 0] > 0).astype("int32"), (x[:, :1] + 3 * x[:, 1:]).astype("float32")
    data = several(x, kinds, sizes)
    answers = {"kind_probabilities": np.full((100, 2), 0.5, np.float32), "score_values": np.zeros((100, 1))}
    found = compare_methods(data, data.test, answers, "test_", 0)
    assert {name: one.chosen for name, one in found.outputs.items()} == {
        "kind": found.outputs["kind"].chosen,
        "score": "ridge_regression",
    }
    best = found.outputs["kind"].best
    assert best.figure > 0.9
    assert found.metrics[f"test_classical_{best.name}_kind_accuracy"] == best.figure
    assert found.metrics["test_classical_ridge_regression_score_root_mean_squared_error"] < 0.01
    assert " is better than the network by " in found.sentences["kind"]
    assert "points of accuracy" in found.sentences["kind"]
    assert found.sentence.startswith("kind: ")
    # An output whose name says that more is better, of which less is.
    assert "score: Ridge regression is better than the network" in found.sentence
    again = ClassicalComparison.from_json(
        json.loads(json.dumps(found.to_json())), found.seconds_json(), "file", "write it again"
    )
    assert (again, again.seconds_json()) == (found, found.seconds_json())


def test_few_rows_and_classes_that_training_lacks_are_no_trouble():
    data = kexp.data.load("digits")
    kept = data.train.targets != 9
    few = replace(data.train, inputs=data.train.inputs[kept], targets=data.train.targets[kept])
    found = compared(replace(data, train=head(few, 60)))
    assert found.best.rows == 60
    assert found.best.figure > 0.5

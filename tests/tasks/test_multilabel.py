"""Several labels for each sample: trained, chosen by thresholds of validation data, told and exported."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

import kexp

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3)).astype("float32")
MATRIX = np.stack([X[:, 0] > 0.8, X[:, 1] > 0, X[:, 2] > -0.5], axis=1)
NAMES = np.array(["big", "labels", "red"])
FRAME = pd.DataFrame(X, columns=list("abc")).assign(tags=["|".join(NAMES[row]) for row in MATRIX])


@pytest.fixture(scope="module")
def data():
    return kexp.data.load(FRAME, target="tags", separator="|")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    keras.utils.set_random_seed(1)
    preprocessing = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
    model = kexp.models.mlp(preprocessing.output_shape[1:], data.spec.outputs, hidden=(8,))
    run_dir = tmp_path_factory.mktemp("multilabel") / "run"
    options = {"epochs": 3, "learning_rate": 0.05, "monitor": "val_map", "quiet": True}
    return kexp.fit(model, data, preprocessing=preprocessing, run_dir=str(run_dir), **options)


def test_thresholds_are_chosen_on_validation_data_and_recorded(run, data):
    shares = run.predict(data.validation.inputs).probabilities
    for label, threshold in enumerate(run.spec.thresholds):
        targets, own = data.validation.targets[:, label], shares[:, label]
        best = max(sk.f1_score(targets, own > cut, zero_division=0) for cut in [0.0, 0.5, *own])
        assert sk.f1_score(targets, own > np.float32(threshold)) == pytest.approx(best)
    assert json.loads((run.run_dir / "result.json").read_text())["spec"]["thresholds"] == list(
        run.spec.thresholds
    )
    assert kexp.load(run.run_dir).spec == run.spec


def test_metrics_are_exact_and_at_the_thresholds(run, data):
    for part in ("validation", "test"):
        split, prefix = getattr(data, part), {"validation": "val_", "test": "test_"}[part]
        found = run.predict(split.inputs)
        given = found.probabilities > np.float32(run.spec.thresholds)
        expected = {
            "map": sk.average_precision_score(split.targets, found.probabilities),
            "micro_f1": sk.f1_score(split.targets, given, average="micro"),
            "macro_f1": sk.f1_score(split.targets, given, average="macro"),
            "subset_accuracy": sk.accuracy_score(split.targets, given),
        }
        assert {name: run.metrics[f"{prefix}{name}"] for name in expected} == pytest.approx(expected)
    assert run.metrics["val_map"] == max(run.history["val_map"])
    assert "val_micro_f1" not in run.history
    assert kexp.load(run.run_dir).evaluate(data)["macro_f1"] == run.metrics["test_macro_f1"]


def test_predictions_are_lists_of_labels_and_a_table(run, data):
    found = run.predict(FRAME)
    assert found.probabilities.shape == found.label_sets.shape == (300, 3)
    given = found.probabilities > np.float32(run.spec.thresholds)
    assert found.label_lists == [NAMES[row].tolist() for row in given]
    table = found.to_frame(run.spec)
    assert table.columns.tolist() == ["labels", "big", "probability of labels", "red"]
    assert table["labels"].tolist() == ["|".join(names) for names in found.label_lists]


def test_an_export_gives_the_same_labels(run, tmp_path):
    exported = kexp.export.load_exported(run.export(tmp_path / "served"))
    found, expected = exported.predict(FRAME), run.predict(FRAME)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)
    assert found.label_lists == expected.label_lists


def test_a_page_and_a_check_know_of_labels(run, data):
    assert "big|" in run.report(data=data).read_text()
    model = kexp.models.mlp((3,), 3, hidden=(4,))
    report = kexp.check(kexp.fit, model, kexp.data.load((X, MATRIX)))
    assert "ln 2 = 0.6931" in report["first loss"].message
    assert report["outputs"].message == "(batch, 3) logits, as the loss takes them."


def test_without_validation_data_every_threshold_is_a_half(tmp_path):
    data = kexp.data.load((X, MATRIX), validation=0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, "sigmoid")])
    options = {"epochs": 1, "quiet": True, "label_smoothing": 0.1, "run_dir": str(tmp_path / "run")}
    result = kexp.fit(model, data, **options)
    assert (result.spec.thresholds, result.from_logits) == ((), False)
    found = result.predict(X)
    np.testing.assert_array_equal(found.label_sets != "", found.probabilities > 0.5)
    assert "thresholds" not in json.loads((tmp_path / "run" / "result.json").read_text())["spec"]

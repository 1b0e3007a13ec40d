"""Runs on text and on series of different lengths are recorded, checked and exported like any other."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp.data import Split
from kexp.engine.tensorflow.input_pipeline import ArrayBatchSource
from kexp.preflight.data_checks import data_findings
from kexp.run.context import capture_training
from tests.verify import sequence_recipes

NAMES = ["Anna", "Ivan", "", "Łukasz", "x" * 5000]


@pytest.fixture(scope="module")
def text_run(tmp_path_factory):
    return sequence_recipes.text(epochs=2, run_dir=str(tmp_path_factory.mktemp("text") / "run"), quiet=True)


@pytest.fixture(scope="module")
def series_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series") / "run"
    return sequence_recipes.series(epochs=20, learning_rate=5e-3, run_dir=str(folder), quiet=True)


@pytest.fixture
def unchecked(monkeypatch):
    """Leave out the fresh process where a test compares the answers itself."""
    monkeypatch.setattr("kexp.export.export_pipeline.check_parity", lambda *arguments: None)


def test_a_run_on_text_learns_and_answers_strings_also_when_it_is_loaded(text_run):
    assert text_run.metrics["test_accuracy"] > 0.7
    with pytest.warns(UserWarning, match="not in the vocabulary of training, such as 'Ł'"):
        answer = text_run.predict(NAMES)
    assert answer.labels[:2].tolist() == ["f", "m"]
    loaded = kexp.load(text_run.run_dir)
    assert loaded.spec == text_run.spec
    np.testing.assert_array_equal(loaded.predictions_of(NAMES).probabilities, answer.probabilities)
    np.testing.assert_allclose(loaded.predict("Ivan").probabilities, answer.probabilities[1:2], atol=1e-6)
    assert loaded.evaluate("first_names")["accuracy"] == text_run.metrics["test_accuracy"]


def test_a_run_on_padded_series_learns_and_answers_a_list_of_shorter_ones(series_run):
    assert series_run.metrics["test_accuracy"] > 0.8
    padded = kexp.data.load("japanese_vowels").test.inputs[:9]
    shorter = [series[np.isfinite(series[:, 0])] for series in padded]
    assert len({len(series) for series in shorter}) > 3
    expected = series_run.predict(padded)
    assert np.isfinite(expected.probabilities).all()
    np.testing.assert_array_equal(series_run.predict(shorter).probabilities, expected.probabilities)


@pytest.mark.parametrize("name", ["text", "series"])
def test_an_export_takes_what_the_run_takes(name, request, unchecked, tmp_path):
    result = request.getfixturevalue(f"{name}_run")
    exported = kexp.load_exported(result.export(tmp_path / "served"))
    inputs = NAMES
    if name == "series":
        inputs = [np.ones((length, 12)) for length in (29, 7, 1)]
    expected, answer = result.predictions_of(inputs), exported.predict(inputs)
    np.testing.assert_allclose(answer.probabilities, expected.probabilities, atol=1e-5)
    assert answer.labels.tolist() == expected.labels.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text", "series"])
def test_a_fresh_process_agrees_with_the_run(name, request, tmp_path):
    request.getfixturevalue(f"{name}_run").export(tmp_path / "served")


@pytest.mark.slow
def test_the_command_line_answers_every_line_of_a_text_file(text_run, tmp_path, run_kexp):
    done = run_kexp("export", text_run.run_dir, tmp_path / "served")
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")
    done = run_kexp("predict", tmp_path / "served", tmp_path / "names.txt")
    assert (done.returncode, done.stderr) == (0, "")
    answer = pd.read_csv(io.StringIO(done.stdout))
    assert answer["label"].tolist() == text_run.predictions_of(NAMES).labels.tolist()


def findings(*args, **kwargs):
    """What the checks of the data find, without those of the model."""
    return {found.name: found for found in capture_training(data_findings, kexp.fit, *args, **kwargs)}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [sequence_recipes.text, sequence_recipes.series])
def test_both_pass_every_check(recipe):
    report = kexp.check(recipe)
    assert report.ok, str(report)


def test_text_passes_a_check_and_texts_of_two_parts_are_found():
    data = kexp.data.load("first_names")
    preprocessing = kexp.models.text_preprocessing(data.train.inputs, split="character")
    model = sequence_recipes.character_model(preprocessing, 2)
    train = Split(
        np.concatenate([data.train.inputs, data.test.inputs[:90]]),
        np.concatenate([data.train.targets, data.test.targets[:90]]),
    )
    leaking = replace(data, train=train)
    found = findings(model, leaking, preprocessing=preprocessing)
    assert [name for name, finding in found.items() if finding.status != "ok"] == ["test rows"]
    assert "90 of 1,601 test rows" in found["test rows"].message


def test_padding_passes_a_check_and_a_hole_in_a_series_does_not():
    data = kexp.data.load("japanese_vowels")
    holed = data.train.inputs.copy()
    holed[7, 2, 3] = np.nan
    for inputs, status in ((data.train.inputs, "ok"), (holed, "problem")):
        changed = replace(data, train=Split(inputs, data.train.targets))
        model = sequence_recipes.masked_model(data.spec.input_shape, 9)
        finding = findings(model, changed)["data"]
        assert finding.status == status
    assert "inputs of training samples 7 hold NaN" in finding.message
    # What the run itself names after a loss that is not finite, too.
    assert ArrayBatchSource(Split(holed, data.train.targets)).not_finite(np.arange(20)) == [7]

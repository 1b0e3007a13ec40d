"""A run shows a classical method beside its network, and nothing else of it changes."""

import json

import keras
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

import kexp
from kexp import recipes
from kexp.classical.classical_comparison import ClassicalComparison
from kexp.cli.finished_run import print_summary
from kexp.core.errors import InputError
from kexp.core.options import OPTIONS
from kexp.preflight.classical_outlook import classical_findings
from kexp.run.context import capture_training, hidden_test_split

METRIC = "test_classical_logistic_regression_on_pixels_accuracy"


def trained(folder, **options):
    return recipes.mlp_images("digits", epochs=1, hidden=(16,), run_dir=str(folder), quiet=True, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compared") / "run"


@pytest.fixture(scope="module")
def result(folder):
    return trained(folder, compare=True)


def test_the_record_holds_both_figures_and_the_interval_of_their_difference(result, folder):
    recorded = json.loads((folder / "result.json").read_text())
    best = result.classical.best
    assert best.network == pytest.approx(result.metrics["test_accuracy"], abs=1e-6)
    assert best.figure == result.metrics[METRIC] > 0.93
    assert best.interval[0] < best.difference < best.interval[1]
    assert best.measured_rows == best.all_measured_rows
    assert recorded["classical"]["chosen"] == best.name
    assert list(recorded["classical_seconds"]) == [best.name]
    assert "seconds" not in recorded["classical"]
    assert kexp.load(folder).classical == result.classical
    assert kexp.load(folder).classical.sentence == result.classical.sentence


def test_page_and_terminal_say_it_in_a_sentence(result, capsys):
    assert result.classical.sentence.startswith(
        "Logistic regression on pixels is better than the network by "
    )
    print_summary(result)
    assert result.classical.sentence in capsys.readouterr().out
    page = result.report().read_text("utf-8")
    assert f'<p class="classical">{result.classical.sentence}</p>' in page
    assert f"classical logistic regression on pixels {result.metrics[METRIC]:.4g}" in page
    shown, _ = DisplayFormatter().format(result)
    assert result.classical.sentence in shown["text/html"]


def test_the_network_is_the_same_to_the_bit_without_a_comparison(result, tmp_path):
    alone = trained(tmp_path / "run", compare=False)
    assert alone.classical is None
    assert alone.metrics == {name: value for name, value in result.metrics.items() if name != METRIC}
    assert all(map(np.array_equal, alone.model.get_weights(), result.model.get_weights()))
    assert "classical" not in json.loads((tmp_path / "run/result.json").read_text())
    assert 'class="classical"' not in alone.report().read_text("utf-8")


def test_a_run_that_ends_a_second_time_records_the_same(result, folder, tmp_path):
    before = json.loads((folder / "result.json").read_text())
    (folder / "result.json").unlink()  # as if it had been killed before it was written
    kexp.resume(folder)
    after = json.loads((folder / "result.json").read_text())
    for name in ("metrics", "classical"):
        assert after[name] == before[name]


def test_neither_a_trial_nor_a_try_on_few_batches_is_compared(tmp_path):
    with hidden_test_split():
        assert trained(tmp_path / "trial", compare=True).classical is None
    tried = trained(tmp_path / "tried", compare=True, fast_dev_run=True)
    assert tried.classical == ClassicalComparison(reason="the network was trained on a few batches alone")
    assert kexp.load(tmp_path / "tried").classical == tried.classical
    assert 'class="classical"' not in tried.report().read_text("utf-8")


def test_a_compiled_model_on_arrays_is_compared_on_its_validation_data(tmp_path):
    x = np.random.default_rng(0).normal(size=(300, 4)).astype("float32")
    y = (x[:, 0] > x[:, 1]).astype("int32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    options = {"validation_data": (x[200:], y[200:]), "epochs": 1, "compare": True, "quiet": True}
    result = kexp.fit(model, x[:200], y[:200], run_dir=str(tmp_path / "run"), **options)
    assert result.classical.best.network == pytest.approx(result.metrics["val_accuracy"], abs=1e-6)
    assert result.classical.best.figure > 0.9
    assert result.classical.sentence.startswith("On validation data")


def test_a_damaged_comparison_is_told_in_one_sentence(result, folder, tmp_path):
    content = json.loads((folder / "result.json").read_text())
    content["classical"]["methods"][0]["interval"] = "wide"
    place = "file r: classical"
    with pytest.raises(
        InputError, match=r"file r: classical.methods\[0\]: interval must be .*; train it again"
    ):
        ClassicalComparison.from_json(content["classical"], {}, place, "train it again")


def test_what_data_of_such_a_size_need_is_said_beforehand():
    (finding,) = capture_training(classical_findings, recipes.mlp_images, "digits", compare=True)
    assert finding.status == "ok"
    assert "1,295 training samples: a classical method is often as good" in finding.message
    assert capture_training(classical_findings, recipes.mlp_images, "digits", compare=False) == []


def test_users_have_the_comparison_by_default():
    assert OPTIONS["compare"].default is True

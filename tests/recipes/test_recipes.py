"""Every recipe that there is runs tiny, learns, records everything and exports what it computes."""

import inspect
import warnings
from pathlib import Path

import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.report import recorded_data
from kexp.run.context import capture_training
from kexp.run.example_inputs import load_samples
from tests.browser import faults
from tests.recipes.every import every_recipe, one_of_each_objective, tiny
from tests.verify.killed_runs import difference_from

# Those whose data has a few batches of 64 only.
SMALL = {
    *(
        "autoencoder_anomaly",
        "cnn_series",
        "detect_images",
        "forecast",
        "image_text",
        "lstm_forecast",
        "lstm_series",
        "lstm_text",
        "mlp_tabular",
    ),
    *("seq2seq", "transformer_lm", "transformer_series", "transformer_text", "unet_segmentation"),
}


def arguments(name, digits_run):
    batch_size = 64 if name in SMALL else 256
    return {**tiny(name, digits_run), "epochs": 3, "batch_size": batch_size, "checkpoint_every": "1 steps"}


@pytest.fixture(scope="module", params=every_recipe())
def alone(request, digits_run, tmp_path_factory):
    """Return the name of a recipe and the result of a run that was left alone."""
    run_dir = tmp_path_factory.mktemp(request.param) / "run"
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Samples have collapsed"
        )  # three tiny epochs do not make them diverse
        recipe = getattr(recipes, request.param)
        return request.param, recipe(**arguments(request.param, digits_run), quiet=True, run_dir=str(run_dir))


def test_a_recipe_learns_records_and_exports(alone, tmp_path):
    name, result = alone
    if name != "gan_images":  # whose players have losses that rise as well as fall
        assert result.history["loss"][-1] < result.history["loss"][0]
    assert all(np.isfinite(value) for value in result.metrics.values())
    assert any(figure.startswith("test_") for figure in result.metrics)
    result.export(tmp_path / "served")
    served = kexp.load_exported(tmp_path / "served")
    if result.spec.task == "generation":
        assert_the_same_samples(served, result)
    else:
        assert_the_same_answers(served, result)


@pytest.mark.slow
def test_the_page_of_a_recipe_is_whole_for_every_reader(alone, browser):
    assert faults(browser, alone[1].report()) == []


@pytest.mark.slow
@pytest.mark.parametrize("alone", one_of_each_objective(), indirect=True)
def test_a_recipe_killed_halfway_ends_as_the_one_left_alone(alone, digits_run, tmp_path):
    name, result = alone
    call = (getattr(recipes, name), tmp_path / "killed", arguments(name, digits_run))
    assert difference_from(result.run_dir, *call) is None


@pytest.mark.slow
def test_an_ensemble_for_series_answers_the_same_wherever_it_is_exported_to(tmp_path):
    result = recipes.cnn_series(
        size="litetime", epochs=1, batch_size=64, compare=False, run_dir=str(tmp_path / "run"), quiet=True
    )
    assert len(recorded_data(result).train) == 270
    result.export(tmp_path / "served")  # raises if it does not compute what was trained
    assert_the_same_answers(kexp.load_exported(tmp_path / "served"), result)


def assert_the_same_answers(served, result):
    samples = load_samples(result.run_dir / "samples.npz", result.spec)
    if result.spec.task == "detection":  # whose frame has numbers within texts
        assert_the_same_boxes(served.predict(samples), result.predict(samples))
        return
    answers, expected = (asked.predict(samples).to_frame(result.spec) for asked in (served, result))
    assert answers.select_dtypes(exclude="number").equals(expected.select_dtypes(exclude="number"))
    data = recorded_data(result)
    assert len(answers) == len(expected) == min(64, len(data.validation or data.train))
    np.testing.assert_allclose(
        answers.select_dtypes("number"), expected.select_dtypes("number"), rtol=1e-5, atol=1e-5
    )


def assert_the_same_boxes(answers, expected):
    # Of equal scores either may come first, which moves no other detection.
    near = -np.diff(expected.scores, axis=1) <= 1e-5 * expected.scores[:, 1:]
    kept = ~(np.pad(near, ((0, 0), (1, 0))) | np.pad(near, ((0, 0), (0, 1)), constant_values=True))
    np.testing.assert_allclose(answers.scores, expected.scores, atol=1e-5)
    assert (answers.labels[kept] == expected.labels[kept]).all()
    np.testing.assert_allclose(answers.boxes[kept], expected.boxes[kept], atol=1e-3)


def assert_the_same_samples(served, result):
    for labels in (None, ["3", "1", "3"]):
        answers, expected = (asked.sample(3, seed=5, labels=labels) for asked in (served, result))
        assert answers.shape == (3, 8, 8, 1)
        assert np.abs(answers.astype(int) - expected).max() <= 1  # where a number is rounded to a byte
        assert (expected != result.sample(3, seed=6, labels=labels)).any()


def test_the_residual_network_is_made_for_the_embedded_fashion_images():
    setup = capture_training(
        lambda training: training, recipes.cnn_images, "fashion_mnist_small", size="resnet20", quiet=True
    )
    assert setup.model.name == "resnet20"
    assert setup.data.spec.class_names[0] == "T-shirt/top"


@pytest.mark.parametrize("name", recipes.__all__)
def test_a_recipe_is_short_and_says_where_it_is_from(name):
    path = Path(inspect.getfile(inspect.unwrap(getattr(recipes, name))))
    header = path.read_text(encoding="utf-8").partition('"""\n\n')[0]
    for part in ("Source:", "Command:", "Time:", "Score:"):
        assert part in header
    code = inspect.getsource(inspect.unwrap(getattr(recipes, name)))
    assert code.count("\n") <= 60

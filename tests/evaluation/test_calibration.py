"""A finished run is calibrated on validation data, and says how often its sets and intervals hold."""

import json
import re
import shutil

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

import kexp
from kexp import recipes
from kexp.cli.calibrate_command import calibrate
from kexp.core.errors import InputError
from kexp.data import load as load_data
from kexp.metrics.reliability import reliability
from kexp.report import recorded_data
from kexp.tasks.class_choice import tempered


@pytest.fixture(scope="module")
def calibrated(digits_run, tmp_path_factory):
    """Return the folder of a calibrated run, and what it was before."""
    run_dir = shutil.copytree(digits_run, tmp_path_factory.mktemp("calibrated") / "run")
    result = kexp.load(run_dir)
    inputs = recorded_data(result).test.inputs
    before = result.predict(inputs)
    return run_dir, result, inputs, before, result.calibrate()


@pytest.fixture(scope="module")
def diabetes(tmp_path_factory):
    """Return a regression of two targets, trained a little."""
    x, y = load_diabetes(return_X_y=True)
    targets = np.stack([y, 10 * y], axis=1).astype(np.float32)
    data = {"x_train": x[:320].astype(np.float32), "y_train": targets[:320]}
    data |= {"x_test": x[320:].astype(np.float32), "y_test": targets[320:]}
    run_dir = tmp_path_factory.mktemp("regression") / "run"
    loaded = load_data(data, validation=0.3)
    result = recipes.mlp_tabular(data=loaded, epochs=1, hidden=(8,), run_dir=str(run_dir), quiet=True)
    return result, loaded


def test_probabilities_are_by_the_temperature_and_labels_are_the_same(calibrated):
    run_dir, result, inputs, before, found = calibrated
    loaded = kexp.load(run_dir)
    for one in (result, loaded):
        after = one.predict(inputs)
        assert after.labels.tolist() == before.labels.tolist()
        np.testing.assert_allclose(
            after.probabilities, tempered(before.probabilities, found.temperature), atol=1e-5
        )
    assert loaded.calibration == result.calibration == found
    recorded = json.loads((run_dir / "calibration.json").read_text())
    assert recorded["temperature"] == loaded.spec.temperature == found.temperature != 1


def test_the_errors_are_those_of_the_predictions_before_and_after(calibrated):
    run_dir, result, inputs, before, found = calibrated
    truth = recorded_data(result).test.targets
    for probabilities, error in (
        (before.probabilities, found.test.error_before),
        (result.predict(inputs).probabilities, found.test.error_after),
    ):
        right = probabilities.argmax(axis=1) == truth
        assert reliability(probabilities.max(axis=1), right, found.bins).error == pytest.approx(
            error, abs=1e-5
        )
    assert 0 < found.test.error_by_chance < found.test.error_before
    assert found.validation.log_loss_after < found.validation.log_loss_before
    assert found.test.log_loss_after < found.test.log_loss_before
    measured = kexp.load(run_dir).evaluate("digits")
    assert measured["log_loss"] == pytest.approx(found.test.log_loss_after, abs=1e-4)
    assert measured["accuracy"] == pytest.approx(result.metrics["test_accuracy"])


def test_calibrating_again_comes_to_the_same(calibrated, tmp_path):
    run_dir, _, _, _, found = calibrated
    again = kexp.load(shutil.copytree(run_dir, tmp_path / "run")).calibrate()
    assert (again.temperature, again.test) == (found.temperature, found.test)


def test_the_page_has_the_errors_before_and_after(calibrated):
    page = kexp.load(calibrated[0]).report().read_text()
    found = calibrated[-1]
    assert f"Logits are divided by the temperature {found.temperature:.3g}; as they are" in page
    assert page.count("Before calibration: share of right ones") >= 1
    assert "error before" in page


@pytest.mark.parametrize(
    "form",
    ["onnx", *(pytest.param(form, marks=pytest.mark.slow) for form in ("saved_model", "litert"))],
)
def test_an_export_has_the_temperature_inside_and_says_so(form, calibrated, tmp_path):
    _, result, inputs, _, found = calibrated
    path = result.export(tmp_path / "served", formats=form)
    exported, expected = kexp.load_exported(path), result.predict(inputs[:8])
    assert exported.spec.temperature == exported.provenance["calibration"]["temperature"] == found.temperature
    np.testing.assert_allclose(exported.predict(inputs[:8]).probabilities, expected.probabilities, atol=1e-5)
    card = (path / "1" / "README.md").read_text()
    assert f"logits divided by the temperature {found.temperature:.6g}" in card


def test_prediction_sets_have_the_coverage_that_they_say(calibrated):
    _, result, inputs, _, _ = calibrated
    truth = recorded_data(result).test.targets
    found = result.prediction_sets(inputs, level=0.8)
    right = found.included[np.arange(len(truth)), truth]
    assert found.coverage.share == pytest.approx(right.mean())
    assert found.coverage.size == pytest.approx(found.included.sum(axis=1).mean())
    assert found.coverage.interval[0] < found.coverage.share < found.coverage.interval[1]
    assert found.coverage.interval[1] > 0.8
    wider = result.prediction_sets(inputs, level=0.98)
    assert (wider.included >= found.included).all()
    assert wider.coverage.size > found.coverage.size
    assert wider.label_lists[0] == [str(place) for place in np.flatnonzero(wider.included[0])]


def test_intervals_of_each_target_have_the_coverage_that_they_say(diabetes):
    result, data = diabetes
    found = result.prediction_intervals(data.test.inputs, data=data)
    assert found.calibrated_on == len(data.validation) == 96
    inside = (found.low <= data.test.targets) & (data.test.targets <= found.high)
    for place, one in enumerate(found.coverage):
        assert one.share == pytest.approx(inside[:, place].mean(), abs=0.01)
        assert one.size == pytest.approx((found.high - found.low)[:, place].mean(), rel=1e-4)
        assert one.interval[1] > 0.9
    assert found.coverage[1].size > 3 * found.coverage[0].size
    # ceil(97 * 0.9) = 88 of the 96 residuals are no larger.
    residuals = np.abs(data.validation.targets - result.predict(data.validation.inputs).values)
    half = (found.high - found.low)[0] / 2
    assert (residuals <= half * (1 + 1e-4)).sum(axis=0).tolist() == [88, 88]


def test_groups_count_once_and_recent_residuals_alone(diabetes):
    result, data = diabetes
    inputs, groups = data.test.inputs[:2], np.arange(96) // 4
    assert result.prediction_intervals(inputs, data=data, groups=groups).calibrated_on == 24
    recent = result.prediction_intervals(inputs, data=data, recent=9)
    residuals = np.abs(data.validation.targets - result.predict(data.validation.inputs).values)[-9:]
    np.testing.assert_allclose((recent.high - recent.low)[0] / 2, residuals.max(axis=0), rtol=1e-4)
    for changes, message in (
        ({"groups": groups[1:]}, "groups must say what each of the 96 validation samples"),
        ({"groups": groups, "level": 0.99}, "level 0.99 needs 99 validation samples or more; there are 24"),
        ({"groups": groups, "recent": 9}, "recent must be left out with groups"),
        ({"level": 1.0}, "level must be a number, from 0.01 to 0.9999"),
        ({"level": 0.999}, "level 0.999 needs 999 validation samples or more; there are 96"),
    ):
        with pytest.raises(InputError, match=message):
            result.prediction_intervals(inputs, data=data, **changes)


def test_what_cannot_be_calibrated_is_refused(calibrated, diabetes, tmp_path):
    result, data = diabetes
    with pytest.raises(InputError, match=r"calibrate is for classifiers .* this run is one of regression"):
        result.calibrate(data=data)
    with pytest.raises(InputError, match="prediction_sets is for classifiers"):
        result.prediction_sets(data.test.inputs, data=data)
    with pytest.raises(InputError, match="prediction_intervals is for regression and forecasts"):
        calibrated[1].prediction_intervals(calibrated[2])
    with pytest.raises(InputError, match="is not what the run was trained on"):
        calibrated[1].prediction_sets(calibrated[2], data=data)
    whole = recipes.mlp_images(epochs=1, validation=0.0, run_dir=str(tmp_path / "whole"), quiet=True)
    with pytest.raises(InputError, match="calibrate needs validation samples, and the run had none"):
        whole.calibrate()


def test_a_calibration_of_another_model_or_a_damaged_one_is_refused(calibrated, tmp_path):
    run_dir = shutil.copytree(calibrated[0], tmp_path / "run")
    path = run_dir / "calibration.json"
    content = json.loads(path.read_text())
    for change, message in (
        ({"model": "0" * 64}, "than the run has; remove it"),
        ({"temperature": 0}, "temperature must be a number, from 0.01 to 100"),
        ({"validation": None}, "validation must be"),
        ({"validation": {"samples": 3}}, "validation: lacks the key error_before"),
    ):
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(InputError, match=message):
            kexp.load(run_dir)
    path.unlink()
    assert kexp.load(run_dir).calibration is None


def test_a_run_that_goes_on_is_calibrated_no_more(calibrated, tmp_path):
    run_dir = shutil.copytree(calibrated[0], tmp_path / "run")
    result = recipes.mlp_images(data="digits", epochs=3, run_dir=str(run_dir), quiet=True)
    assert result.spec.temperature is None
    assert not (run_dir / "calibration.json").exists()
    assert kexp.load(run_dir).calibration is None


def test_the_command_prints_errors_and_coverage(digits_run, tmp_path, capsys):
    run_dir = shutil.copytree(digits_run, tmp_path / "run")
    with pytest.raises(InputError, match="needs 999 validation samples or more; there are 143"):
        calibrate(str(run_dir), level=0.999)
    assert not (run_dir / "calibration.json").exists()
    calibrate(str(run_dir), level=0.8)
    printed = capsys.readouterr().out
    found = kexp.load(run_dir).calibration
    assert f"temperature {found.temperature:.4g}, in calibration.json" in printed
    assert f"{found.test.error_before:.4f} before, {found.test.error_after:.4f} after" in printed
    assert re.search(
        r"test: coverage 0.\d+ \(95 % interval .* of 359 samples, 0.* by chance alone; mean set size",
        printed,
    )

"""Runs on images with a mask each are recorded, checked, answered and exported like any other."""

from dataclasses import replace

import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.preflight.data_checks import data_findings
from kexp.run.context import capture_training


def digits_with_masks() -> tuple[np.ndarray, np.ndarray]:
    """Real digits, and as their masks where there is ink."""
    images = kexp.data.load("digits", validation=0, test=0).train.inputs[:600]
    return images, (images[..., 0] > 100).astype("int32")


@kexp.recipe(epochs=3, batch_size=32, learning_rate=5e-3)
def ink(**train: kexp.Unpack[kexp.TrainOptions]) -> kexp.Result:
    """Find the ink of digits."""
    data = kexp.data.load(digits_with_masks(), validation=train["validation"], seed=train["seed"])
    model = kexp.models.unet(data.spec.input_shape, data.spec.outputs, filters=(8, 8))
    return kexp.fit(model, data, **train)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return ink(run_dir=str(tmp_path_factory.mktemp("ink") / "run"), quiet=True)


def test_masks_are_told_from_labels_by_their_shape():
    images, masks = digits_with_masks()
    data = kexp.data.load((images, masks[..., None]))
    assert (data.spec.task, data.spec.outputs, data.spec.class_names) == ("segmentation", 2, ("0", "1"))
    assert data.train.targets.shape == data.train.inputs.shape[:3]
    assert data.train.targets.dtype == np.int32
    np.testing.assert_array_equal(data.train.targets, data.train.inputs[..., 0] > 100)


def test_masks_that_cannot_be_used_are_an_error():
    images, masks = digits_with_masks()
    with pytest.raises(InputError, match=r"expected train masks of shape \(600, 8, 8\).*received \(600,\)"):
        kexp.data.load((images, masks[:, 0, 0]), task="segmentation")
    with pytest.raises(
        InputError, match="expected class indices from 0 in the train masks, received int32 from -1"
    ):
        kexp.data.load((images, masks - 1))
    with pytest.raises(InputError, match="expected 'image'"):
        kexp.data.load("iris", task="segmentation")
    with pytest.raises(InputError, match="has masks, which would have to be resized"):
        kexp.data.load((images, masks), image_size=(16, 16))
    named = {"x_train": images, "y_train": masks * 2, "class_names": ["paper", "ink"]}
    with pytest.raises(
        InputError, match="expected classes from 0 to 1 in masks for 2 class names, received 2"
    ):
        kexp.data.load(named)


def test_a_run_learns_masks_and_records_the_overlap_of_each_class(run):
    assert run.metrics["test_mean_iou"] > 0.9
    assert {"test_accuracy", "test_loss", "test_iou_0", "test_iou_1", "val_mean_iou"} <= run.metrics.keys()
    np.testing.assert_allclose(
        run.metrics["test_mean_iou"], (run.metrics["test_iou_0"] + run.metrics["test_iou_1"]) / 2, atol=1e-6
    )
    data = kexp.data.load(digits_with_masks())
    measured = run.evaluate(data)
    assert measured["mean_iou"] == run.metrics["test_mean_iou"]
    masks = run.predict(data.test.inputs).masks
    both, either = masks & data.test.targets, masks | data.test.targets
    np.testing.assert_allclose(run.metrics["test_iou_1"], both.sum() / either.sum(), rtol=1e-6)


@pytest.mark.slow
def test_the_export_answers_with_masks(run, tmp_path):
    images = digits_with_masks()[0][:5]
    run.export(tmp_path / "served")
    answer, expected = kexp.load_exported(tmp_path / "served").predict(images), run.predict(images)
    assert answer.masks.shape == (5, 8, 8)
    np.testing.assert_array_equal(answer.masks, expected.masks)
    np.testing.assert_allclose(answer.probabilities, expected.probabilities, atol=1e-5)
    frame = answer.to_frame(run.spec)
    np.testing.assert_allclose(frame["1"], answer.masks.mean(axis=(1, 2)))


def test_a_model_without_an_answer_for_each_pixel_is_an_error(tmp_path):
    data = kexp.data.load(digits_with_masks())
    model = kexp.models.cnn(data.spec.input_shape, 2, filters=(4,))
    with pytest.raises(
        InputError, match=r"must give outputs of shape \(batch, 8, 8, 2\).*received \(batch, 2\)"
    ):
        kexp.fit(model, data, run_dir=str(tmp_path / "run"))
    unet = kexp.models.unet(data.spec.input_shape, 2, filters=(4, 4))
    flip = kexp.models.image_augmentation("uint8", flip=True)
    with pytest.raises(InputError, match=r"augmentation must be .* for segmentation"):
        kexp.fit(unet, data, augmentation=flip, run_dir=str(tmp_path / "run"))
    with pytest.raises(InputError, match="target_preprocessing must be None"):
        kexp.fit(unet, data, target_preprocessing=unet, run_dir=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_check_before_a_run_knows_masks():
    report = kexp.check(ink)
    assert report.ok, str(report)
    assert "pixels each" in report["classes"].message
    assert report["first loss"].status == "ok"


def test_a_mask_with_a_class_that_is_none_is_found_before_the_run():
    def spoilt(training):
        targets = training.data.train.targets.copy()
        targets[7, 3, 3] = 2
        data = replace(training.data, train=replace(training.data.train, targets=targets))
        return data_findings(replace(training, data=data))

    finding = capture_training(spoilt, ink)[0]
    assert finding.status == "problem"
    assert "labels of training samples 7 are outside 0..1" in finding.message

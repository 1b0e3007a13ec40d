"""A run on boxes is measured as COCO measures, answers with boxes, and exports what it computes."""

import json

import keras
import numpy as np
import pytest

import kexp
from kexp import InputError, recipes
from kexp.metrics import detection_metrics
from kexp.tasks.detection import indexed
from tests.recipes.every import TINY
from tests.report.test_sweep_page import Reader

SIZE = (32, 32)


def squares(count, seed):
    """Return images of bright squares and dark frames, and their boxes."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 30, (count, *SIZE, 1)).astype(np.uint8)
    boxes = []
    for image in images:
        side, kind = generator.integers(10, 17), generator.integers(0, 2)
        top, left = generator.integers(0, SIZE[0] - side, 2)
        image[top : top + side, left : left + side] = 220
        if kind:
            image[top + 3 : top + side - 3, left + 3 : left + side - 3] = 0
        name = ("full", "<b>hollow</b>")[kind]
        boxes.append({"boxes": [[left, top, left + side, top + side]], "labels": [name]})
    boxes[0] = {"boxes": [], "labels": []}
    images[0] = 0
    return images, boxes


@pytest.fixture(scope="module")
def data():
    train, validation, test = (squares(count, seed) for seed, count in enumerate((160, 40, 40)))
    return kexp.data.load(
        {
            "x_train": train[0],
            "y_train": train[1],
            "x_validation": validation[0],
            "y_validation": validation[1],
            "x_test": test[0],
            "y_test": test[1],
        }
    )


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    spec = data.spec
    keras.utils.set_random_seed(0)
    model = kexp.models.detector(
        spec.input_shape, spec.outputs, filters=(8, 12, 16), width=16, strides=(4, 8)
    )
    folder = tmp_path_factory.mktemp("boxes") / "run"
    options = {"epochs": 12, "batch_size": 16, "learning_rate": 1e-2, "seed": 0}
    return kexp.fit(model, data, run_dir=str(folder), quiet=True, schedule="cosine", **options)


def test_a_run_learns_boxes_and_is_measured_by_average_precision(run, data):
    assert run.metrics["test_ap50"] > 0.8
    assert run.metrics["test_map"] > 0.4
    assert {
        "val_map",
        "test_ap75",
        "test_map_small",
        "test_ap_full",
        "test_ap_b_hollow_b",
    } <= run.metrics.keys()
    assert "test_map_large" not in run.metrics
    assert max(run.history["val_map"]) == run.history["val_map"][run.best_epoch - 1]
    found = indexed(run.predict(data.test.inputs).named(), run.spec)
    again = detection_metrics(data.test.targets, *found, data.spec.class_names)
    assert again == pytest.approx({name: run.metrics[f"test_{name}"] for name in again}, abs=1e-6)


def test_predictions_are_boxes_labels_and_scores_the_surest_first(run, data):
    found = run.predict(data.test.inputs)
    assert (found.boxes.shape, found.labels.shape, found.scores.shape) == ((40, 100, 4), (40, 100), (40, 100))
    assert set(found.labels.ravel()) <= {"full", "<b>hollow</b>", ""}
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert ((found.labels == "") == (found.scores == 0)).all()
    frame = found.to_frame(run.spec)
    assert list(frame) == ["objects", "detections"]
    listed = json.loads(frame["detections"][1])
    assert frame["objects"][1] == len(listed)
    assert listed[0].keys() == {"label", "score", "box"}
    assert all(one["score"] >= min(run.spec.thresholds) - 1e-4 for one in listed)


def test_the_export_answers_with_the_same_boxes(run, data, tmp_path):
    run.export(tmp_path / "served")
    served = kexp.load_exported(tmp_path / "served")
    answers, expected = served.predict(data.test.inputs[:9]), run.predict(data.test.inputs[:9])
    np.testing.assert_allclose(answers.boxes, expected.boxes, atol=1e-3)
    np.testing.assert_allclose(answers.scores, expected.scores, atol=1e-5)
    assert (answers.labels == expected.labels).all()
    with pytest.raises(InputError, match="cannot carry the model's control flow"):
        run.export(tmp_path / "other", formats=("onnx",))


def test_the_page_shows_the_worst_images_first_and_a_curve_of_each_class(run, data):
    page = run.report(data=data).read_text(encoding="utf-8")
    reader = Reader(page)
    assert not reader.open
    assert "<b>hollow</b>" not in page
    alts = [fields["alt"] for tag, fields in reader.elements if tag == "img" and "alt" in fields]
    shown = [alt for alt in alts if alt.startswith("sample ")]
    assert len(shown) == 24
    wrong = ["missed" in alt or "false alarm" in alt for alt in shown]
    assert wrong == sorted(wrong, reverse=True)
    assert "Average precision of each class" in page
    assert "Precision and recall of the classes" in page


def test_a_model_without_boxes_and_smoothed_labels_are_refused(data, tmp_path):
    with pytest.raises(InputError, match=r"for boxes of 2 classes, as kexp\.models\.detector gives"):
        kexp.fit(kexp.models.cnn((*SIZE, 1), 2, filters=(4,)), data, run_dir=str(tmp_path / "a"), epochs=1)
    model = kexp.models.detector((*SIZE, 1), 2, filters=(4, 4), width=8, strides=(4,))
    with pytest.raises(InputError, match=r"label_smoothing must be 0 for detection"):
        kexp.fit(model, data, run_dir=str(tmp_path / "b"), epochs=1, label_smoothing=0.1)


@pytest.mark.slow
def test_the_check_before_a_run_knows_boxes():
    report = kexp.check(recipes.detect_images, **TINY["detect_images"], batch_size=32)
    assert report.ok, str(report)
    assert "objects each" in report["classes"].message

"""Average precision of detections is COCO's, to the last digit that matters."""

import contextlib
import io

import numpy as np
import pytest

from kexp.metrics import detection_metrics, precision_recall

CLASSES = ("cup", "plate", "fork", "large")
# What pycocotools 2.0.11 computes of `made_images`; `from_pycocotools` is how.
EXPECTED = {
    "map": 0.07935659886585048,
    "ap50": 0.11719317294409376,
    "ap75": 0.10408690767514257,
    "map_small": 0.04058960647020745,
    "map_medium": 0.06562313658761938,
    "map_large": 0.21335902443292443,
    "mar": 0.5922191748652972,
    "ap_cup": 0.07900181198337003,
    "ap_plate": 0.08651700376673131,
    "ap_fork": 0.07667068629534893,
    "ap_large": 0.07523689341795196,
}


def made_images(images=500, seed=0):
    """Return targets and detections: objects of all sizes, some crowds, hits near and far, false alarms."""
    generator = np.random.default_rng(seed)
    targets = np.full((images, 12, 6), -1.0)
    boxes, classes = np.zeros((images, 130, 4)), np.full((images, 130), -1)
    scores = np.zeros((images, 130))
    for image in range(images):
        objects = generator.integers(0, 13)
        start, side = generator.uniform(0, 300, (objects, 2)), generator.uniform(4, 180, (objects, 2))
        kinds = generator.integers(0, 4, objects)
        crowd = generator.random(objects) < 0.1
        targets[image, :objects] = np.column_stack([start, start + side, kinds, crowd])
        found = [np.zeros((0, 4))]
        for box in targets[image, :objects, :4]:
            wide = np.tile(box[2:] - box[:2], 2)
            found.append(box + wide * generator.normal(0, 0.06, (generator.integers(0, 5), 4)))
        corner = generator.uniform(0, 300, (generator.integers(0, 80), 2))
        found.append(np.hstack([corner, corner + generator.uniform(2, 120, corner.shape)]))
        given = np.concatenate(found)[:130]
        own = np.repeat(kinds, [len(one) for one in found[1:-1]])[: len(given)]
        other = generator.integers(0, 4, len(given))
        wrong = generator.random(len(given)) < 0.15
        wrong[len(own) :] = True
        classes[image, : len(given)] = np.where(
            wrong, other, np.resize(own, len(given)) if len(own) else other
        )
        boxes[image, : len(given)] = given
        # Rounded, so that some are equal.
        scores[image, : len(given)] = generator.random(len(given)).round(2)
    return targets, boxes, classes, scores


def from_pycocotools(targets, boxes, classes, scores):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def sized(box):
        return [*box[:2], *(box[2:4] - box[:2])]

    annotations = [
        {
            "image_id": image + 1,
            "category_id": int(row[4]) + 1,
            "bbox": sized(row),
            "area": float(np.prod(row[2:4] - row[:2])),
            "iscrowd": int(row[5]),
        }
        for image, rows in enumerate(targets)
        for row in rows
        if row[4] >= 0
    ]
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number
    results = [
        {"image_id": image + 1, "category_id": int(kind) + 1, "bbox": sized(box), "score": float(score)}
        for image in range(len(boxes))
        for box, kind, score in zip(boxes[image], classes[image], scores[image], strict=True)
        if kind >= 0
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": image + 1} for image in range(len(targets))],
            "annotations": annotations,
            "categories": [{"id": index + 1} for index in range(len(CLASSES))],
        }
        truth.createIndex()
        measured = COCOeval(truth, truth.loadRes(results), "bbox")
        measured.evaluate()
        measured.accumulate()
        measured.summarize()
    names = ("map", "ap50", "ap75", "map_small", "map_medium", "map_large", None, None, "mar")
    found = {name: value for name, value in zip(names, measured.stats, strict=False) if name}
    each = measured.eval["precision"][:, :, :, 0, 2].mean(axis=(0, 1))
    return found | {f"ap_{name}": value for name, value in zip(CLASSES, each, strict=True)}


@pytest.fixture(scope="module")
def images():
    return made_images()


@pytest.fixture(scope="module")
def found(images):
    return detection_metrics(*images, CLASSES)


def test_average_precision_of_500_images_is_what_pycocotools_has_computed(found):
    assert found.keys() == EXPECTED.keys()
    assert found == pytest.approx(EXPECTED, abs=1e-6)


def test_average_precision_of_other_images_is_what_pycocotools_computes():
    pytest.importorskip("pycocotools")
    images = made_images(60, seed=1)
    assert detection_metrics(*images, CLASSES) == pytest.approx(from_pycocotools(*images), abs=1e-6)


def test_what_an_image_set_does_not_define_is_left_out():
    nothing = np.full((2, 3, 6), -1.0)
    boxes, classes = np.zeros((2, 1, 4)), np.zeros((2, 1), int)
    assert detection_metrics(nothing, boxes, classes, np.ones((2, 1)), CLASSES) == {}
    one = nothing.copy()
    one[0, 0] = 0, 0, 200, 200, 3, 0
    found = detection_metrics(one, boxes, classes, np.ones((2, 1)), CLASSES)
    assert found == dict.fromkeys(("map", "ap50", "ap75", "map_large", "mar", "ap_large"), 0.0)
    assert detection_metrics(one, boxes, classes, np.full((2, 1), np.nan), CLASSES) == {}


def test_no_detection_at_all_finds_nothing(images):
    empty = np.zeros((500, 0, 4)), np.zeros((500, 0), int), np.zeros((500, 0))
    assert set(detection_metrics(images[0], *empty, CLASSES).values()) == {0.0}


def test_precision_and_recall_end_at_what_all_detections_find(images):
    curve = precision_recall(*images, 2)
    assert (np.diff(curve.scores) <= 0).all()
    assert (np.diff(curve.recall) >= 0).all()
    assert 0 < curve.recall[-1] <= 1
    np.testing.assert_allclose(
        curve.precision[-1], curve.recall[-1] * curve.objects / len(curve.scores), rtol=1e-12
    )

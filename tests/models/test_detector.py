"""The detector is trained and asked as Keras has it; its suppression is the plain one, box by box."""

import keras
import numpy as np
import pytest
from keras import ops

import kexp
from kexp.core.errors import InputError
from kexp.engine.tensorflow.batch_augmentation import Augmentation
from kexp.metrics import box_iou
from kexp.metrics.training.detection_loss import DetectionLoss, assigned, generalized_iou
from kexp.models import detector
from kexp.models.layers.box_layers import Detections, suppressed
from kexp.models.preprocessing.augmentation import RandomOperations


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return detector((40, 56, 1), 3, filters=(4, 6, 8), width=8, strides=(4, 8))


def scattered(images=3, locations=80, classes=3, seed=0):
    generator = np.random.default_rng(seed)
    corner = generator.uniform(0, 40, (images, locations, 2))
    outputs = [corner, corner + generator.uniform(8, 24, corner.shape), corner + 4]
    logits = generator.normal(-2, 2, (images, locations, classes))
    return np.concatenate([*outputs, logits], axis=-1).astype(np.float32)


def one_by_one(outputs, size, overlap, least):
    """Return the detections of an image as a loop in Python finds them."""
    scores = 1 / (1 + np.exp(-outputs[:, 6:].astype(np.float64)))
    pairs = sorted(np.ndindex(scores.shape), key=lambda pair: -scores[pair])[:300]
    boxes = np.clip(outputs[:, :4], 0, [size[1], size[0]] * 2)
    kept = []
    for place, kind in pairs:
        rivals = [boxes[other] for other, known in kept if known == kind]
        free = not rivals or box_iou(boxes[[place]], np.array(rivals)).max() <= overlap
        if scores[place, kind] >= least and free:
            kept.append((place, kind))
    return [(kind, scores[place, kind], boxes[place]) for place, kind in kept]


def test_suppression_keeps_what_a_loop_over_the_boxes_keeps():
    outputs = scattered()
    found = {
        name: np.array(one) for name, one in suppressed(ops.convert_to_tensor(outputs), (60, 50)).items()
    }
    for image in range(len(outputs)):
        expected = one_by_one(outputs[image], (60, 50), 0.6, 0.01)[:100]
        count = len(expected)
        assert count > 20
        kinds, scores, boxes = zip(*expected, strict=True)
        assert found["class"][image, :count].tolist() == list(kinds)
        assert set(found["class"][image, count:]) <= {-1}
        np.testing.assert_allclose(found["score"][image, :count], scores, rtol=1e-5)
        np.testing.assert_allclose(found["box"][image, :count], np.array(boxes), rtol=1e-5)


def test_suppression_is_a_layer_that_a_model_of_keras_ends_in(model, tmp_path):
    whole = keras.Model(model.input, Detections((40, 56), most=7)(model.output))
    images = np.random.default_rng(0).integers(0, 255, (2, 40, 56, 1)).astype(np.uint8)
    found = whole.predict(images, verbose=0)
    assert {name: one.shape for name, one in found.items()} == {
        "box": (2, 7, 4),
        "class": (2, 7),
        "score": (2, 7),
    }
    whole.save(tmp_path / "whole.keras")
    again = keras.models.load_model(tmp_path / "whole.keras").predict(images, verbose=0)
    for name, one in found.items():
        np.testing.assert_array_equal(again[name], one)


def test_locations_lie_at_the_middle_of_their_cells(model):
    outputs = model.predict(np.zeros((1, 40, 56, 1), np.uint8), verbose=0)[0]
    assert outputs.shape == (10 * 14 + 5 * 7, 6 + 3)
    places = outputs[:, 4:6]
    np.testing.assert_array_equal(places[[0, 1, 14, 139]], [[2, 2], [6, 2], [2, 6], [54, 38]])
    np.testing.assert_array_equal(places[[140, -1]], [[4, 4], [52, 36]])
    assert (outputs[:, :2] < places).all()
    assert (outputs[:, 2:4] > places).all()


def test_each_object_is_answered_by_locations_within_it_and_none_by_padding():
    targets = np.full((1, 3, 6), -1, np.float32)
    targets[0, 0], targets[0, 1] = [8, 8, 24, 24, 0, 0], [30, 4, 33, 7, 2, 0]
    net = detector((40, 56, 1), 3, filters=(4, 6, 8), width=8, strides=(4, 8))
    outputs = net(np.zeros((1, 40, 56, 1), np.uint8))
    kinds = ops.one_hot(ops.cast(targets[..., 4], "int32"), 3)
    found = assigned(ops.convert_to_tensor(targets), outputs, kinds, 10)
    owners, places = np.array(found.owners)[0], np.array(outputs)[0, :, 4:6]
    # Untrained outputs are alike at places that mirror each other; the small one has the nearest alone.
    assert 10 <= owners[0].sum() <= 13
    assert owners[1:].sum(axis=1).tolist() == [1, 0]
    inside = places[owners[0] > 0]
    assert ((inside > 8) & (inside < 24)).all()
    assert (owners.sum(axis=0) <= 1).all()
    quality = np.array(found.quality)[0]
    assert ((quality > 0) == (owners.sum(axis=0) > 0)).all()


def test_a_crowd_costs_nothing_and_an_empty_image_little():
    outputs = ops.convert_to_tensor(scattered(1))
    empty, crowd = np.full((2, 1, 1, 6), -1, np.float32)
    crowd[0, 0] = [-100, -100, 200, 200, 1, 1]
    costs = [float(DetectionLoss()(targets, outputs)) for targets in (empty, crowd)]
    assert costs[0] > 0.1
    assert costs[1] == 0


def test_the_loss_of_an_image_does_not_depend_on_its_batch():
    outputs = scattered(4)
    targets = np.full((4, 2, 6), -1, np.float32)
    targets[:, 0] = [4, 4, 20, 22, 1, 0]
    targets[2:, 1] = [20, 20, 40, 40, 0, 0]
    each = DetectionLoss(reduction=None)
    together = np.array(each(targets, outputs))
    alone = [float(DetectionLoss()(targets[[image]], outputs[[image]])) for image in range(4)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_generalised_overlap_is_that_of_the_paper():
    one = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 2, 2]], np.float32)
    other = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [4, 0, 6, 2]], np.float32)
    np.testing.assert_allclose(np.array(generalized_iou(one, other)), [1, 1 / 3, 0 - 4 / 12], atol=1e-6)


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_plain_keras_trains_it_with_and_without_xla(jit):
    keras.utils.set_random_seed(0)
    net = detector((32, 32, 1), 2, filters=(4, 8, 8), width=8, strides=(4, 8))
    images = np.zeros((8, 32, 32, 1), np.uint8)
    images[:, 8:24, 8:24] = 255
    targets = np.tile(np.float32([8, 8, 24, 24, 1, 0]), (8, 1, 1))
    net.compile(keras.optimizers.Adam(1e-2), DetectionLoss(), jit_compile=jit)
    history = net.fit(images, targets, epochs=30, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]


def test_a_backbone_of_any_keras_model_gives_the_pyramid():
    backbone = kexp.models.resnet((32, 32, 3), 5, depth=8, width=4)
    net = detector((32, 32, 3), 2, backbone=backbone, width=8, strides=(2, 4))
    assert net.output_shape == (None, 16 * 16 + 8 * 8, 8)
    with pytest.raises(InputError, match="strides must be among those of the backbone, 2, 4; received 16"):
        detector((32, 32, 3), 2, backbone=backbone, strides=(4, 16))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strides": (3,)}, "powers of 2"),
        ({"strides": (8, 4)}, "powers of 2"),
        ({"filters": (4,)}, "two stages or more"),
        ({"strides": (4, 64)}, "received 64"),
    ],
)
def test_what_no_detector_can_have_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        detector((32, 32, 1), 2, **arguments)


@pytest.mark.parametrize("wrong", [{"box_weight": 0.0}, {"candidates": 0}])
def test_a_loss_of_nothing_is_refused(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} must be above 0"):
        kexp.objectives.detection(kexp.data.DatasetSpec("image", (8, 8, 1), "uint8", "detection", 1), **wrong)
    with pytest.raises(InputError, match="data for detection"):
        kexp.objectives.detection(kexp.data.load("digits").spec)


def boxes_of_brightness(images):
    """Return the box of the pixels of each image that are bright."""
    found = []
    for image in images[..., 0]:
        ys, xs = np.nonzero(image > 100)
        found.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    return np.array(found)


def test_augmentation_moves_boxes_with_their_images():
    spec = kexp.data.DatasetSpec("image", (32, 40, 1), "uint8", "detection", 2)
    images = np.zeros((16, 32, 40, 1), np.uint8)
    images[:, 8:20, 10:26] = 200
    targets = np.full((16, 2, 6), -1, np.float32)
    targets[:, 0] = [10, 8, 26, 20, 1, 0]
    layers = kexp.models.box_augmentation(shift=0.2, zoom=0.2, flip=True, seed=3)
    moved, boxes = (np.array(one) for one in Augmentation(layers, spec)(images, targets))
    assert moved.dtype == np.uint8
    np.testing.assert_allclose(boxes[:, 0, :4], boxes_of_brightness(moved), atol=1.5)
    assert len(np.unique(boxes[:, 0, 0])) > 8
    assert (boxes[:, 0, 4:] == [1, 0]).all()
    assert (boxes[:, 1] == -1).all()


def test_a_box_that_was_moved_out_is_padding():
    spec = kexp.data.DatasetSpec("image", (32, 32, 1), "uint8", "detection", 1)
    targets = np.tile(np.float32([0, 0, 4, 4, 0, 0]), (64, 1, 1))
    layers = kexp.models.box_augmentation(shift=0.5, seed=0)
    boxes = np.array(Augmentation(layers, spec)(np.zeros((64, 32, 32, 1), np.uint8), targets)[1])[:, 0]
    assert 10 < (boxes[:, 4] == -1).sum() < 60
    assert (boxes[boxes[:, 4] == -1] == -1).all()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: keras.layers.RandomFlip(), "RandomFlip with bounding_box_format=None"),
        (lambda: RandomOperations(), "RandomOperations moves images alone"),
        (lambda: keras.layers.MixUp(), "MixUp"),
    ],
)
def test_augmentation_that_would_leave_boxes_behind_is_refused(layer, message):
    spec = kexp.data.DatasetSpec("image", (32, 32, 1), "uint8", "detection", 1)
    with pytest.raises(InputError, match=message):
        Augmentation([layer()], spec)


@pytest.mark.parametrize("wrong", [{"shift": 2.0}, {"zoom": 1.0}])
def test_augmentation_out_of_range_is_refused(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))} must be a number from 0 to 1"):
        kexp.models.box_augmentation(**wrong)

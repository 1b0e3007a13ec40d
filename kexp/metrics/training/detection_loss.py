"""The loss of a one-stage detector: which location answers for which object, and what its answer costs."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Tensor

CORNERS = 4  # numbers of a box
GEOMETRY = 6  # columns of outputs before the classes: a box and the place that it is predicted at
_TINY = 1e-7
_LEAST_OVERLAP = 1e-3  # that an alignment is made of, so that a box that misses may be mended


class Assignment(NamedTuple):
    """What the locations of images are to answer.

    Attributes:
        quality: (batch, locations) float32 from 0 to 1: 0 where there is nothing to answer.
        owners: (batch, objects, locations) float32, 1 where a location answers for an object.
        counted: (batch, locations) float32, 0 where silence and an answer are both right: within crowds.
    """

    quality: Any
    owners: Any
    counted: Any


@keras.saving.register_keras_serializable(package="kexp")
class DetectionLoss(keras.losses.Loss):
    """Quality focal loss of classes and generalised IoU loss of boxes, where they align best.

    With the probability `s` of an object's class at a location and the overlap `u` of object and box there,
    the alignment is `s * u**6`. The `candidates` locations within the object that align best answer for it,
    each for the object that it overlaps most. They are to give a probability `q`: their alignment, scaled so
    that the best one gives its overlap; all others give 0. A class costs `|q - s|**2 BCE(q, s)`, a box
    `box_weight * q * (1 - GIoU)`; both are summed and divided by the sum of `q`, 1 at least, image by image,
    so that an image costs the same in every batch.

    Args:
        box_weight: Of boxes beside classes, default 2, above 0.
        candidates: Locations that stand for an object, default 10, 1 or more.

    Raises:
        InputError: A value is out of range.

    Source:
        Feng et al. 2021, "TOOD: Task-aligned One-stage Object Detection" (assignment, weight of 2); Li et al.
        2020, "Generalized Focal Loss"; Rezatofighi et al. 2019, "Generalized Intersection over Union".

    Example:
        >>> box, place = [0.0, 0.0, 8.0, 8.0], [4.0, 4.0]
        >>> target = ops.convert_to_tensor([[[*box, 1.0, 0.0]]])
        >>> outputs = ops.convert_to_tensor([[[*box, *place, -9.0, 9.0], [*box, 20.0, 20.0, -9.0, -9.0]]])
        >>> round(float(DetectionLoss()(target, outputs)), 4)
        0.0
    """

    def __init__(
        self, box_weight: float = 2.0, candidates: int = 10, name: str = "detection", **options: Any
    ) -> None:
        super().__init__(name=name, **options)
        for argument, value, fits in (
            ("box_weight", box_weight, box_weight > 0),
            ("candidates", candidates, candidates >= 1),
        ):
            if not fits:
                raise InputError(f"{argument} must be above 0; received {value!r}.")
        self.box_weight, self.candidates = box_weight, candidates

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        """Return (batch,) losses.

        Args:
            y_true: (batch, objects, 6): x_min, y_min, x_max, y_max, class index or -1, and 1 for a crowd.
            y_pred: (batch, locations, 6 + classes): a box, the x and y that it is predicted at, and logits.
        """
        targets, outputs = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        boxes, logits = outputs[..., :CORNERS], outputs[..., GEOMETRY:]
        kinds = ops.one_hot(ops.cast(targets[..., 4], "int32"), logits.shape[-1])  # (batch, objects, classes)
        found = assigned(targets, outputs, kinds, self.candidates)
        answers = ops.einsum("bml,bmc->blc", found.owners, kinds) * found.quality[..., None]
        probabilities = ops.sigmoid(logits)
        entropy = ops.relu(logits) - logits * answers + ops.log1p(ops.exp(-ops.abs(logits)))
        focal = ops.square(answers - probabilities) * entropy * found.counted[..., None]
        owned = ops.einsum("bml,bmk->blk", found.owners, targets[..., :CORNERS])  # (batch, locations, 4)
        missed = found.quality * (1.0 - generalized_iou(owned, boxes))
        total = ops.sum(focal, axis=(1, 2)) + self.box_weight * ops.sum(missed, axis=1)
        return total / ops.maximum(ops.sum(found.quality, axis=1), 1.0)

    def get_config(self) -> dict[str, Any]:
        own = {"box_weight": self.box_weight, "candidates": self.candidates}
        return {**super().get_config(), **own}


def assigned(targets: Tensor, outputs: Tensor, kinds: Tensor, candidates: int) -> Assignment:
    """Return which location answers for which object, as `DetectionLoss` says; no gradient goes through it.

    Args:
        targets: (batch, objects, 6).
        outputs: (batch, locations, 6 + classes).
        kinds: (batch, objects, classes) one-hot classes of the objects.
        candidates: Locations of an object.
    """
    outputs = ops.stop_gradient(outputs)
    there = targets[..., 4] >= 0
    crowd = ops.logical_and(there, targets[..., 5] > 0)  # (batch, objects)
    wanted = ops.cast(ops.logical_and(there, targets[..., 5] <= 0), "float32")[..., None]
    overlaps = pairwise_iou(targets, outputs)  # (batch, objects, locations)
    within = _within(targets, outputs[..., CORNERS:GEOMETRY])
    scores = ops.einsum("bmc,blc->bml", kinds, ops.sigmoid(outputs[..., GEOMETRY:]))
    overlap_power = ops.power(ops.maximum(overlaps, _LEAST_OVERLAP), 6)
    aligned = scores * overlap_power * ops.maximum(within, _nearest(targets, outputs)) * wanted
    best = ops.top_k(aligned, min(candidates, aligned.shape[-1]))[0][..., -1:]
    chosen = ops.cast(ops.logical_and(aligned >= best, aligned > 0), "float32")
    # Of several objects a location answers for the one that it overlaps most, of equal ones for the first.
    rivals = (overlaps + _LEAST_OVERLAP) * chosen
    winner = ops.one_hot(ops.argmax(rivals, axis=1), rivals.shape[1], axis=1)
    owners = winner * chosen
    aligned, overlaps = aligned * owners, overlaps * owners
    highest = ops.max(aligned, axis=-1, keepdims=True)  # (batch, objects, 1)
    share = aligned / ops.maximum(highest, 1e-30)
    quality = ops.sum(share * ops.max(overlaps, axis=-1, keepdims=True), axis=1)
    in_crowd = ops.max(within * ops.cast(crowd, "float32")[..., None], axis=1)  # (batch, locations)
    counted = 1.0 - in_crowd * (1.0 - ops.max(owners, axis=1))
    return Assignment(*map(ops.stop_gradient, (quality, owners, counted)))


def pairwise_iou(first: Tensor, second: Tensor) -> Any:
    """Return (batch, n, m) intersections over union of (batch, n, 4 or more) and (batch, m, 4 or more) boxes.

    Example:
        >>> one, other = ops.array([[[0.0, 0.0, 2.0, 2.0]]]), ops.array([[[1.0, 0.0, 3.0, 2.0]]])
        >>> round(float(pairwise_iou(one, other)[0, 0, 0]), 4)
        0.3333
    """
    one, other = first[:, :, None, :], second[:, None, :, :]
    lengths = [
        ops.relu(
            ops.minimum(one[..., axis + 2], other[..., axis + 2])
            - ops.maximum(one[..., axis], other[..., axis])
        )
        for axis in (0, 1)
    ]
    shared = lengths[0] * lengths[1]
    return shared / ops.maximum(_areas(one) + _areas(other) - shared, _TINY)


def generalized_iou(first: Tensor, second: Tensor) -> Any:
    """Return (..., ) generalised intersections over union of boxes with others, from -1 to 1.

    Example:
        >>> one, other = ops.array([0.0, 0.0, 1.0, 1.0]), ops.array([1.0, 0.0, 2.0, 1.0])
        >>> float(generalized_iou(one, other))
        0.0
    """
    lower, upper = (
        ops.maximum(first[..., :2], second[..., :2]),
        ops.minimum(first[..., 2:4], second[..., 2:4]),
    )
    sides = ops.relu(upper - lower)
    shared = sides[..., 0] * sides[..., 1]
    union = _areas(first) + _areas(second) - shared
    around = ops.maximum(first[..., 2:4], second[..., 2:4]) - ops.minimum(first[..., :2], second[..., :2])
    hull = around[..., 0] * around[..., 1]
    return shared / ops.maximum(union, _TINY) - (hull - union) / ops.maximum(hull, _TINY)


def _areas(boxes: Tensor) -> Any:
    return ops.relu(boxes[..., 2] - boxes[..., 0]) * ops.relu(boxes[..., 3] - boxes[..., 1])


def _within(targets: Tensor, places: Tensor) -> Any:
    """Return (batch, objects, locations) float32, 1 where the place of a location lies in a box."""
    boxes, points = targets[:, :, None, :], places[:, None, :, :]
    over = points - boxes[..., :2]
    under = boxes[..., 2:4] - points
    return ops.cast(ops.min(ops.minimum(over, under), axis=-1) > 0, "float32")


def _nearest(targets: Tensor, outputs: Tensor) -> Any:
    """Return (batch, objects, locations) float32, 1 at the place that is nearest to the middle of a box."""
    middle = (targets[..., :2] + targets[..., 2:4]) / 2
    apart = ops.square(middle[:, :, None, :] - outputs[:, None, :, CORNERS:GEOMETRY])
    return ops.one_hot(ops.argmin(ops.sum(apart, axis=-1), axis=-1), outputs.shape[1])

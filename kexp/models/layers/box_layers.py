"""Boxes of a detector: distances at locations as boxes on the image, and the best of those that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kexp.core.types import Shape, Tensor
from kexp.metrics.training.detection_loss import CORNERS, GEOMETRY, pairwise_iou

__all__ = ["Detections", "LocationBoxes"]

LEAST_SCORE = 0.01  # of a detection
CANDIDATES = 300  # of an image, before those that overlap are left out


@keras.saving.register_keras_serializable(package="kexp")
class LocationBoxes(keras.layers.Layer):
    """Joins the maps of a pyramid: for each location a box in pixels, the location, and the logits.

    A map gives for each location logits, and the distances to the left, upper, right and lower side of a box
    as `softplus` of a number times the stride of the map (Tian et al. 2019, "FCOS").

    Args:
        strides: Pixels between two locations, of each map.

    Example:
        >>> maps = [keras.ops.zeros((1, 2, 2, 4 + 3)), keras.ops.zeros((1, 1, 1, 4 + 3))]
        >>> boxes = LocationBoxes((8, 16))(maps)
        >>> boxes.shape, boxes[0, 0, 4:6].numpy().tolist()
        (TensorShape([1, 5, 9]), [4.0, 4.0])
    """

    def __init__(self, strides: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.strides = tuple(strides)

    def call(self, inputs: Sequence[Tensor]) -> Any:
        """Return (batch, locations, 6 + classes) float32 of (batch, height, width, 4 + classes) maps."""
        joined = []
        for stride, each in zip(self.strides, inputs, strict=True):
            places = locations(each.shape[1:3], stride)
            count = len(places)
            rows = ops.reshape(ops.cast(each, "float32"), (-1, count, each.shape[-1]))
            reach = ops.softplus(rows[..., :CORNERS]) * float(stride)
            at = ops.convert_to_tensor(places)[None]  # (1, locations, 2)
            boxes = [at - reach[..., :2], at + reach[..., 2:], ops.zeros_like(reach[..., :2]) + at]
            joined.append(ops.concatenate([*boxes, rows[..., CORNERS:]], axis=-1))
        return ops.concatenate(joined, axis=1)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Any:
        count = sum(int(np.prod(shape[1:3])) for shape in input_shape)
        return (input_shape[0][0], count, input_shape[0][-1] + GEOMETRY - CORNERS)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strides": list(self.strides)}


def locations(size: Sequence[int], stride: int) -> np.ndarray:
    """Return (height * width, 2) float32 x and y of the middles of the cells of a map, in pixels.

    Example:
        >>> locations((1, 2), 8).tolist()
        [[4.0, 4.0], [12.0, 4.0]]
    """
    rows, columns = np.mgrid[: size[0], : size[1]]
    return (np.stack([columns, rows], axis=-1).reshape(-1, 2) * stride + stride / 2).astype(np.float32)


@keras.saving.register_keras_serializable(package="kexp")
class Detections(layers.Layer):
    """Non-maximum suppression: of boxes of one class that overlap, the one with the highest score.

    Args:
        size: (height, width) of the image in pixels, to which boxes are cut.
        most: Detections of an image, default 100.
        overlap: Largest intersection over union of two of them, default 0.6.
        least: Lowest score, default 0.01.

    Example:
        >>> box, logits = [0.0, 0.0, 8.0, 8.0, 4.0, 4.0], [[2.0, -9.0], [1.0, -9.0]]
        >>> outputs = keras.ops.convert_to_tensor([[[*box, *logits[0]], [*box, *logits[1]]]])
        >>> found = Detections((8, 8), most=2)(outputs)
        >>> found["class"].numpy().tolist(), found["score"].numpy().astype(float).round(2).tolist()
        ([[0, -1]], [[0.88, 0.0]])
    """

    def __init__(
        self,
        size: Sequence[int],
        most: int = 100,
        overlap: float = 0.6,
        least: float = LEAST_SCORE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.size, self.most, self.overlap, self.least = tuple(size), most, overlap, least

    def call(self, inputs: Tensor) -> dict[str, Any]:
        """Return what `suppressed` does."""
        return suppressed(inputs, self.size, self.most, self.overlap, self.least)

    def get_config(self) -> dict[str, Any]:
        own = {"size": list(self.size), "most": self.most, "overlap": self.overlap, "least": self.least}
        return {**super().get_config(), **own}


def suppressed(
    outputs: Tensor, size: Sequence[int], most: int = 100, overlap: float = 0.6, least: float = LEAST_SCORE
) -> dict[str, Any]:
    """Return the detections of images, the surest first.

    Args:
        outputs: (batch, locations, 6 + classes) of a detector.
        size: (height, width) of the image in pixels.
        most: Detections of an image, default 100.
        overlap: Largest intersection over union of two of one class, default 0.6.
        least: Lowest score, default 0.01.

    Returns:
        "box" (batch, most, 4) float32, "class" (batch, most) int32 and "score" (batch, most) float32; where
        there are fewer, 0, -1 and 0.
    """
    outputs = ops.cast(outputs, "float32")
    classes = outputs.shape[-1] - GEOMETRY
    flat = ops.reshape(ops.sigmoid(outputs[..., GEOMETRY:]), (-1, outputs.shape[1] * classes))
    scores, places = ops.top_k(flat, min(CANDIDATES, flat.shape[1]))  # (batch, candidates)
    places = ops.cast(places, "int32")
    kinds = places % classes
    boxes = ops.take_along_axis(_cut(outputs[..., :CORNERS], size), (places // classes)[..., None], axis=1)
    same = kinds[:, :, None] == kinds[:, None, :]
    rivals = ops.logical_and(pairwise_iou(boxes, boxes) > overlap, same)
    kept = _surviving(ops.cast(rivals, "float32"), ops.cast(scores >= least, "float32"))
    most_here = min(most, scores.shape[1])
    best, order = ops.top_k(scores * kept, most_here)
    there = best > 0
    chosen = ops.take_along_axis(boxes, ops.cast(order, "int32")[..., None], axis=1)
    found = {
        "box": chosen * ops.cast(there, "float32")[..., None],
        "class": ops.where(there, ops.take_along_axis(kinds, ops.cast(order, "int32"), axis=1), -1),
        "score": best,
    }
    missing = most - most_here
    if not missing:
        return found
    padding = {"box": ((0, 0), (0, missing), (0, 0)), "class": ((0, 0), (0, missing))}
    return {
        name: ops.pad(one, padding.get(name, padding["class"]), constant_values=-1 if name == "class" else 0)
        for name, one in found.items()
    }


def _surviving(rivals: Tensor, there: Tensor) -> Any:
    """Return (batch, n) float32, 1 for those that no better one, which survives itself, is a rival of.

    Args:
        rivals: (batch, n, n), 1 where two are rivals, those with the highest scores first.
        there: (batch, n), 0 for those that are none.
    """
    count = rivals.shape[1]
    better = ops.convert_to_tensor(
        np.triu(np.ones((count, count), np.float32), 1)
    )  # of the row than the column
    beats = rivals * better

    # One round settles at least one more; most images need as many as boxes lie in a chain, a few.
    def go_on(kept: Any, changed: Any) -> Any:
        return changed

    def settle(kept: Any, changed: Any) -> Any:
        beaten = ops.einsum("bij,bi->bj", beats, kept) > 0
        now = ops.where(beaten, ops.zeros_like(there), there)
        return now, ops.any(now != kept)

    return ops.while_loop(go_on, settle, (there, ops.convert_to_tensor(True)), maximum_iterations=count)[0]


def _cut(boxes: Tensor, size: Sequence[int]) -> Any:
    """Return boxes without what lies outside the image."""
    height, width = map(float, size)
    limits = ops.convert_to_tensor([width, height, width, height], "float32")
    return ops.minimum(ops.relu(boxes), limits)

"""Targets that are boxes with a class each, any number of them on an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.dataset import Kind
from kexp.data.targets.base import TargetKind, Targets
from kexp.data.targets.labels import sort_names
from kexp.data.targets.masks import are_masks

PADDING = -1  # class index of a row that is no box
COLUMNS = 6
CROWD = 5  # the last of them
_WIDTHS = (5, COLUMNS)  # of a row as it is given: without, or with the last column
_SLACK = 1.0  # pixels that a box may reach out of its image, as rounding makes it
_KEYS = frozenset(("boxes", "labels"))


class Box(NamedTuple):
    """A box on an image, in pixels from the upper left corner of the image.

    Attributes:
        x_min: Left side.
        y_min: Upper side.
        x_max: Right side.
        y_max: Lower side.
        label: Name or index of its class.
        crowd: Whether it is an area with several objects, or one that is hard to make out, which is neither
            learnt nor looked for.
    """

    x_min: float
    y_min: float
    x_max: float
    y_max: float
    label: str | int
    crowd: bool = False


class Boxes(TargetKind):
    """(samples, boxes, 6) float32: x_min, y_min, x_max, y_max in pixels, class index, 1 for a crowd.

    Images with fewer boxes than others have rows of -1 at the end.
    """

    name: ClassVar[str] = "boxes"
    task: ClassVar[str] = "detection"
    input_kind: ClassVar[Kind | None] = "image"

    def applies(self, kind: Kind, inputs: Any, targets: Any) -> bool:
        """Return whether there are rows of five or six numbers for each image, or gathered boxes."""
        if kind != self.input_kind:
            return False
        array = np.asarray(targets)
        if array.dtype == object:
            return _are_gathered(array)
        rows = array.ndim == 3 and array.shape[2] in _WIDTHS and array.dtype.kind in "if"
        return rows and not are_masks(inputs, targets)

    def gathered(self, place: str, values: object, *, asked: bool, separator: str = "") -> np.ndarray | None:
        if isinstance(values, Mapping):
            if not set(values) >= _KEYS:
                return None
            boxes, labels = (np.asarray(values[key]) for key in ("boxes", "labels"))
            each = [{"boxes": one, "labels": other} for one, other in zip(boxes, labels, strict=False)]
            return _tuples([_of_mapping(f"{place} of image {image}", one) for image, one in enumerate(each)])
        if not isinstance(values, list | tuple) or not values:
            return None
        if all(isinstance(one, Mapping) and set(one) >= _KEYS for one in values):
            return _tuples(
                [_of_mapping(f"{place} of image {image}", one) for image, one in enumerate(values)]
            )
        listed = all(isinstance(one, np.ndarray) and one.ndim == 2 for one in values)
        if (asked and all(isinstance(one, list | tuple | np.ndarray) for one in values)) or (
            listed and all(one.shape[1] in _WIDTHS for one in values)
        ):
            return _tuples([_of_rows(f"{place} of image {image}", one) for image, one in enumerate(values)])
        return None

    def encode(
        self,
        name: str,
        inputs: Mapping[str, Any],
        targets: Mapping[str, Any],
        class_names: tuple[str, ...],
        *,
        asked: bool,
    ) -> tuple[Targets, tuple[str, ...]]:
        given = {part: _as_boxes(f"data {name!r}: the {part}", values) for part, values in targets.items()}
        every = [box for images in given.values() for boxes in images for box in boxes]
        if not every:
            raise InputError(
                f"data {name!r}: expected boxes on some of the images, received none on any; add them, or "
                "look where they were lost."
            )
        names = class_names or _names(name, every)
        index = {label: place for place, label in enumerate(names)}
        most = max(len(boxes) for images in given.values() for boxes in images)
        encoded = {}
        for part, images in given.items():
            height, width = inputs[part].shape[1:3]
            array = np.full((len(images), most, COLUMNS), PADDING, np.float32)
            for image, boxes in enumerate(images):
                for place, box in enumerate(boxes):
                    at = f"data {name!r}: box {place} of {part} image {image}"
                    array[image, place] = _row(at, box, index, names, (height, width))
            encoded[part] = array
        return encoded, names

    def check(self, name: str, targets: Targets, class_names: tuple[str, ...]) -> None:
        absent = np.setdiff1d(np.arange(len(class_names)), classes_of(targets["train"]))
        if len(absent):
            raise InputError(
                f"data {name!r}: no training image has a box of class {shown(class_names[absent[0]])}, which "
                "cannot be learnt then; add images with it, hold out fewer or by another seed, or drop it."
            )

    def check_drawn(self, name: str, targets: Targets, class_names: tuple[str, ...]) -> None:
        self.check(name, targets, class_names)

    def resized_with_inputs(self, inputs: Any, targets: Any) -> bool:
        return self.applies("image", inputs, targets)


def classes_of(targets: np.ndarray) -> np.ndarray:
    """Return (n,) int64 class indices of all boxes that are to be found, image after image.

    Args:
        targets: (samples, boxes, 6).

    Example:
        >>> classes_of(np.array([[[0, 0, 1, 1, 2, 0], [0, 0, 9, 9, 1, 1], [-1] * 6]])).tolist()
        [2]
    """
    counted = (targets[..., 4] >= 0) & (targets[..., 5] <= 0)
    return targets[counted][:, 4].astype(np.int64)


def padded_boxes(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return the boxes of images as `Boxes` has them.

    Args:
        images: (boxes, 6) of each.

    Example:
        >>> padded_boxes([np.zeros((0, 6)), np.zeros((2, 6))])[0, :, 4].tolist()
        [-1.0, -1.0]
    """
    most = max(1, *map(len, images))
    array = np.full((len(images), most, COLUMNS), PADDING, np.float32)
    for image, boxes in enumerate(images):
        array[image, : len(boxes)] = boxes
    return array


def _are_gathered(array: np.ndarray) -> bool:
    return (
        array.ndim == 1
        and all(isinstance(row, tuple) and all(isinstance(box, Box) for box in row) for row in array)
        and any(len(row) for row in array)
    )


def _tuples(rows: Iterable[tuple[Box, ...]]) -> np.ndarray:
    listed = list(rows)
    array = np.empty(len(listed), object)
    array[:] = listed
    return array


def _of_mapping(place: str, boxes: Mapping[str, Any]) -> tuple[Box, ...]:
    corners, labels = np.asarray(boxes["boxes"]), np.asarray(boxes["labels"], object)
    corners = corners.reshape(-1, 4) if not corners.size else corners
    crowd = np.asarray(boxes.get("crowd", np.zeros(len(labels), bool)), bool)
    if corners.shape != (len(labels), 4) or crowd.shape != (len(labels),) or corners.dtype.kind not in "biuf":
        raise InputError(
            f"{place}: expected boxes of shape (n, 4) with n labels, received {corners.shape} with "
            f"{labels.shape}; correct them."
        )
    return tuple(
        _box(corner, label if isinstance(label, str) else _whole(place, label), crowd=one)
        for corner, label, one in zip(corners, labels, crowd, strict=True)
        if isinstance(label, str) or label != PADDING
    )


def _of_rows(place: str, rows: Any) -> tuple[Box, ...]:
    try:
        array = np.asarray(rows, np.float64)
    except (TypeError, ValueError):
        array = np.zeros((1, 0))
    if not array.size and len(rows) == 0:
        return ()
    if array.ndim != 2 or array.shape[1] not in _WIDTHS:
        raise InputError(
            f"{place}: expected rows of x_min, y_min, x_max, y_max and a class index, received "
            f"{array.shape if array.size else 'something else'}; correct them."
        )
    return tuple(
        _box(row, _whole(place, row[4]), crowd=len(row) > CROWD and row[CROWD] > 0)
        for row in array
        if row[4] != PADDING
    )


def _box(corners: np.ndarray, label: str | int, *, crowd: Any) -> Box:
    x_min, y_min, x_max, y_max = map(float, corners[:4])
    return Box(x_min, y_min, x_max, y_max, label, bool(crowd))


def _whole(place: str, label: Any) -> int:
    number = float(label)
    if not (number >= 0 and number == int(number)):
        raise InputError(
            f"{place}: expected class indices from 0, or {PADDING} for padding, received {number:g}; "
            "renumber the classes."
        )
    return int(number)


def _as_boxes(place: str, values: Any) -> list[tuple[Box, ...]]:
    array = np.asarray(values)
    if array.dtype == object and all(isinstance(row, tuple) for row in array):
        return list(array)
    if array.ndim != 3 or array.shape[2] not in _WIDTHS or array.dtype.kind not in "biuf":
        raise InputError(
            f"{place} targets: expected boxes of shape (samples, boxes, 5), x_min, y_min, x_max, y_max and a "
            f"class index each, received {array.dtype} {array.shape}; correct them, or leave task out."
        )
    return [_of_rows(f"{place} boxes of image {image}", rows) for image, rows in enumerate(array)]


def _names(name: str, boxes: Sequence[Box]) -> tuple[str, ...]:
    labels = {box.label for box in boxes}
    if all(isinstance(label, str) for label in labels):
        return tuple(sort_names(str(label) for label in labels))
    if any(isinstance(label, str) for label in labels):
        raise InputError(
            f"data {name!r}: expected class names or class indices of all boxes, received both; give one "
            "of them."
        )
    return tuple(str(index) for index in range(int(max(int(label) for label in labels)) + 1))


def _row(
    place: str, box: Box, index: Mapping[str, int], names: Sequence[str], size: tuple[int, int]
) -> tuple[float, ...]:
    """Return a box as a row of numbers, cut to its image."""
    cut = cut_corners(place, box[:4], size)
    known = box.label in index if isinstance(box.label, str) else box.label < len(names)
    if not known:
        raise InputError(
            f"{place}: expected a class among {', '.join(map(shown, names[:12]))}, received "
            f"{shown(box.label)}; correct the box or the names."
        )
    place_of = index[box.label] if isinstance(box.label, str) else box.label
    return (*cut, float(place_of), float(box.crowd))


def cut_corners(
    place: str, corners: Sequence[float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return x_min, y_min, x_max, y_max without what rounding has pushed out of an image.

    Args:
        place: Where the box is, for messages.
        corners: As they are given, in pixels.
        size: (height, width) of the image.

    Raises:
        InputError: The box has no area, or reaches further out than a pixel.

    Example:
        >>> cut_corners("box 0", (-0.5, 0, 8, 8), (8, 8))
        (0.0, 0.0, 8.0, 8.0)
    """
    array = np.array(corners, np.float64)
    limit = np.array([size[1], size[0], size[1], size[0]], np.float64)
    cut = np.clip(array, 0.0, limit)
    if not np.isfinite(array).all() or (array[2:] <= array[:2]).any():
        raise InputError(
            f"{place}: expected x_min < x_max and y_min < y_max, received {_shown(array)}, which has no "
            "area; remove it, or turn its corners round."
        )
    if (np.abs(array - cut) > _SLACK).any() or (cut[2:] <= cut[:2]).any():
        raise InputError(
            f"{place}: expected a box within the image of {size[1]} × {size[0]} pixels (width × height), "
            f"received {_shown(array)}; cut it to the image, or give pixels rather than shares."
        )
    x_min, y_min, x_max, y_max = map(float, cut)
    return x_min, y_min, x_max, y_max


def _shown(corners: np.ndarray) -> str:
    return f"({', '.join(f'{number:g}' for number in corners)})"

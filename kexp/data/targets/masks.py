"""Targets that are a class for each pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import Kind
from kexp.data.targets.base import TargetKind, Targets
from kexp.data.targets.labels import require_classes_in_training


class Masks(TargetKind):
    """(samples, height, width) int32 class indices of the pixels of images."""

    name: ClassVar[str] = "masks"
    task: ClassVar[str] = "segmentation"
    input_kind: ClassVar[Kind | None] = "image"

    def applies(self, kind: Kind, inputs: Any, targets: Any) -> bool:
        """Return whether there is a number for each pixel of images."""
        return kind == self.input_kind and are_masks(inputs, targets)

    def encode(
        self,
        name: str,
        inputs: Mapping[str, Any],
        targets: Mapping[str, Any],
        class_names: tuple[str, ...],
        *,
        asked: bool,
    ) -> tuple[Targets, tuple[str, ...]]:
        return encode_masks(name, inputs, targets, class_names)

    def check(self, name: str, targets: Targets, class_names: tuple[str, ...]) -> None:
        require_classes_in_training(name, targets, class_names)

    def resized_with_inputs(self, inputs: Any, targets: Any) -> bool:
        return are_masks(inputs, targets)


def are_masks(images: np.ndarray, targets: object) -> bool:
    """Whether targets have a number for each pixel of some images.

    Args:
        images: (samples, height, width, channels).
        targets: Anything.

    Example:
        >>> images = np.zeros((2, 4, 5, 3), np.uint8)
        >>> are_masks(images, np.zeros((2, 4, 5, 1))), are_masks(images, [0, 1])
        (True, False)
    """
    shape = np.asarray(targets).shape
    return shape[:3] == images.shape[:3] and shape[3:] in ((), (1,))


def encode_masks(
    name: str,
    images: Mapping[str, np.ndarray],
    targets: Mapping[str, object],
    class_names: tuple[str, ...] = (),
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Check masks and bring them to one type.

    Args:
        name: Name of the data, for messages.
        images: By part, (samples, height, width, channels).
        targets: By part, (samples, height, width[, 1]) class indices from 0, or truth values.
        class_names: Of the classes; default: their indices.

    Returns:
        The masks by part, (samples, height, width) int32, and the names of the classes.

    Raises:
        InputError: They have another shape, or are no indices of classes.

    Example:
        >>> images = {"train": np.zeros((2, 1, 2, 1), np.uint8)}
        >>> encode_masks("cells", images, {"train": np.array([[[False, True]], [[False, False]]])})
        ({'train': array([[[0, 1]],
        <BLANKLINE>
               [[0, 0]]], dtype=int32)}, ('0', '1'))
    """
    masks = {part: _mask(name, part, images[part], values) for part, values in targets.items()}
    most = max(int(mask.max()) for mask in masks.values())
    names = class_names or tuple(str(index) for index in range(max(most, 1) + 1))
    if most >= len(names):
        raise InputError(
            f"data {name!r}: expected classes from 0 to {len(names) - 1} in masks for {len(names)} class "
            f"names, received {most}; correct the masks or the names."
        )
    return masks, names


def _mask(name: str, part: str, images: np.ndarray, targets: object) -> np.ndarray:
    if not are_masks(images, targets):
        raise InputError(
            f"data {name!r}: expected {part} masks of shape {images.shape[:3]} as the images have it, "
            f"received {np.asarray(targets).shape}; bring them to the size of the images."
        )
    array = np.asarray(targets).reshape(images.shape[:3])
    whole = array.dtype.kind in "biu" or (array.dtype.kind == "f" and bool((array == np.round(array)).all()))
    if not whole or array.min() < 0 or array.max() >= 2**15:
        raise InputError(
            f"data {name!r}: expected class indices from 0 in the {part} masks, received {array.dtype} from "
            f"{array.min()} to {array.max()}; renumber the classes, and give those to be left out their own."
        )
    return array.astype(np.int32)

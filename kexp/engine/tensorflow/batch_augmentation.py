"""Augmentation within a training step: Keras layers on a batch of inputs and targets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kexp.core.errors import InputError
from kexp.data import DatasetSpec
from kexp.data.targets.boxes import COLUMNS, PADDING
from kexp.models.preprocessing.augmentation import MixUpOrCutMix, RandomOperations
from kexp.tasks import task_named

_LEAST_SIDE = 1.0  # pixels of what is left of a box


class Augmentation:
    """Keras layers, called in order on every training batch, with all of their random state in `variables`.

    Layers that mix labels get `{"images": ..., "labels": one-hot}`; every other layer gets the inputs
    alone, and Keras's image layers the boxes that move with them. Bytes are augmented as float32 from 0 to
    255 and become bytes again.

    Args:
        layers: Keras layers that keep the shape.
        spec: What the data is.

    Raises:
        InputError: One is not a Keras layer, does not fit the data, or mixes the labels of a regression.

    Example:
        >>> spec = DatasetSpec("image", (8, 8, 1), "uint8", "classification", 3)
        >>> augmentation = Augmentation([keras.layers.MixUp(alpha=0.2)], spec)
        >>> images, targets = augmentation(np.zeros((5, 8, 8, 1), "uint8"), np.array([0, 1, 2, 0, 1]))
        >>> targets.shape  # one-hot labels, mixed
        TensorShape([5, 3])
    """

    def __init__(self, layers: Sequence[keras.layers.Layer], spec: DatasetSpec) -> None:
        for layer in layers:
            _check(layer, spec)
        self._layers = tuple(layers)
        self._spec = spec
        self._mixes = any(_mixes_labels(layer) for layer in layers)
        self._has_boxes = task_named(spec.task).has_boxes
        self._build()

    @property
    def variables(self) -> list[Any]:
        """Every variable that a call reads or writes, in a stable order."""
        return [variable for layer in self._layers for variable in layer.variables]

    def __call__(self, inputs: Any, targets: Any) -> tuple[Any, Any]:
        """Return a batch as it is to be trained on.

        Args:
            inputs: (batch, *input_shape) in the data's type.
            targets: (batch,) class indices, or (batch, outputs) for regression.

        Returns:
            Inputs of the same shape and type; the targets as they came or, if a layer mixes labels, each
            class's share, (batch, classes) float32.
        """
        if not self._layers:
            return inputs, targets
        images = ops.cast(inputs, "float32")
        if self._mixes:
            targets = ops.one_hot(ops.cast(targets, "int32"), self._spec.outputs, dtype="float32")
        for layer in self._layers:
            if _mixes_labels(layer):
                mixed = layer({"images": images, "labels": targets}, training=True)
                images, targets = mixed["images"], ops.cast(mixed["labels"], "float32")
            elif self._has_boxes and hasattr(layer, "transform_bounding_boxes"):
                images, targets = _with_boxes(layer, images, targets)
            else:
                images = layer(images, training=True)
            images = ops.cast(images, "float32")
        if self._spec.dtype == "uint8":
            images = ops.cast(ops.clip(ops.round(images), 0, 255), "uint8")
        return images, targets

    def _build(self) -> None:
        """Let every layer make its variables, and leave the random state as it was."""
        before = [(variable, np.copy(ops.convert_to_numpy(variable))) for variable in self.variables]
        shape = tuple(self._spec.input_shape)
        try:
            outputs, _ = self(np.zeros((2, *shape), self._spec.dtype), self._targets())
        except Exception as error:
            # Of Keras's message, the line in bold says what is wrong.
            reason = re.sub(r".*\x1b\[1m(.*)\x1b\[0m.*", r"\1", str(error), flags=re.DOTALL)
            reason = " ".join(reason.split())
            raise InputError(f"augmentation must fit inputs of shape {shape}; received: {reason}") from error
        finally:
            for variable, value in before:
                variable.assign(value)
        made = tuple(outputs.shape[1:])
        if made != shape:
            raise InputError(f"augmentation must keep the shape of the inputs, {shape}; it made {made}.")

    def _targets(self) -> np.ndarray:
        if task_named(self._spec.task).has_labels:
            return np.zeros(2, "int32")
        if self._has_boxes:
            return np.zeros((2, 1, COLUMNS), "float32")
        return np.zeros((2, self._spec.outputs), "float32")


def _with_boxes(layer: Any, images: Any, targets: Any) -> tuple[Any, Any]:
    """Return images and (batch, boxes, 6) targets, moved alike; what is left of no box is padding."""
    boxes = {"boxes": targets[..., :4], "labels": targets[..., 4]}
    moved = layer({"images": images, "bounding_boxes": boxes}, training=True)
    corners = ops.cast(moved["bounding_boxes"]["boxes"], "float32")
    sides = corners[..., 2:] - corners[..., :2]
    there = ops.logical_and(targets[..., 4:5] >= 0, ops.min(sides, axis=-1, keepdims=True) >= _LEAST_SIDE)
    rows = ops.concatenate([corners, targets[..., 4:]], axis=-1)
    return moved["images"], ops.where(there, rows, float(PADDING))


def _check(layer: Any, spec: DatasetSpec) -> None:
    if not isinstance(layer, keras.layers.Layer):
        raise InputError(
            f"augmentation must be a sequence of Keras layers such as keras.layers.RandomFlip(); "
            f"received {layer!r} in it."
        )
    name = layer.__class__.__name__
    if spec.kind == "table":
        raise InputError(f"augmentation must be () for a table, which has no such layers; received {name}.")
    if (hasattr(layer, "transform_images") or _mixes_labels(layer)) and spec.kind != "image":
        raise InputError(f"augmentation must fit the data, which is no images; received {name}, for images.")
    if task_named(spec.task).has_boxes:
        _check_boxes(layer, name)
    if _mixes_labels(layer) and not task_named(spec.task).has_labels:
        raise InputError(
            f"augmentation must leave the targets of a regression as they are; received {name}, "
            "which mixes the labels of classes."
        )


def _check_boxes(layer: Any, name: str) -> None:
    if isinstance(layer, RandomOperations):
        raise InputError(
            f"augmentation must move boxes with their images, and {name} moves images alone; take the layers "
            "of kexp.models.box_augmentation."
        )
    if hasattr(layer, "transform_bounding_boxes") and layer.bounding_box_format != "xyxy":
        raise InputError(
            f"augmentation must be told the form of boxes; received {name} with bounding_box_format="
            f"{layer.bounding_box_format!r}, so give it bounding_box_format='xyxy'."
        )


def _mixes_labels(layer: Any) -> bool:
    if isinstance(layer, (keras.layers.MixUp, keras.layers.CutMix, MixUpOrCutMix)):
        return True
    # Keras's other layers keep the labels; what a user's own image layer does to them is for it to say.
    change = getattr(type(layer), "transform_labels", None)
    return change is not None and not change.__module__.startswith("keras.")

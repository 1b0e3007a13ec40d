"""A linear model on the pixels of images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from kexp.classical.linear_method import LinearMethod
from kexp.data.dataset import Dataset, DatasetSpec, Inputs, Split, single_array

_SIDE = 32  # pixels of a side; of larger images blocks are averaged


class LinearPixels(LinearMethod):
    """Logistic or ridge regression on the pixels of all channels, bytes divided by 255."""

    name: ClassVar[str] = "linear_model_on_pixels"
    on: ClassVar[str] = "pixels"

    def takes(self, data: Dataset) -> bool:
        """Return whether the inputs are images of one size."""
        return data.spec.kind == "image" and all(data.spec.input_shape)

    def features(self, data: Dataset) -> int:
        """Return the pixels of all channels, once large images are averaged."""
        height, width, *channels = data.spec.input_shape
        return math.prod((math.ceil(height / _step(height)), math.ceil(width / _step(width)), *channels))

    def encoded(self, train: Split, spec: DatasetSpec) -> tuple[Any, Callable[[Inputs], Any]]:
        """Return (samples, pixels) float32 of training, and what gives them for other images."""
        return _pixels(train.inputs), _pixels


def _pixels(inputs: Inputs) -> np.ndarray:
    images = np.asarray(single_array(inputs))
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    blocks = [images[start : start + 256] for start in range(0, len(images), 256)]
    return np.concatenate([_averaged(block).reshape(len(block), -1) / scale for block in blocks])


def _step(size: int) -> int:
    return max(1, size // _SIDE)


def _averaged(images: np.ndarray) -> np.ndarray:
    """Return float32 images, blocks of large ones averaged."""
    pixels: np.ndarray = np.nan_to_num(images.astype(np.float32))
    for axis in (1, 2):
        size = pixels.shape[axis]
        if _step(size) > 1:
            edges = np.arange(0, size, _step(size))
            shape = [1] * pixels.ndim
            shape[axis] = -1
            sums = np.add.reduceat(pixels, edges, axis=axis)
            pixels = sums / np.diff([*edges, size]).astype(np.float32).reshape(shape)
    return pixels

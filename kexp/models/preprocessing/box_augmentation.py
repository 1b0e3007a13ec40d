"""Augmentation of images with boxes as Keras layers, to be given to `kexp.fit` as `augmentation`."""

from __future__ import annotations

import keras
from keras import layers

from kexp.core.errors import InputError
from kexp.models.preprocessing.augmentation import layer_seeds

__all__ = ["box_augmentation"]

_FORMAT = "xyxy"


def box_augmentation(
    *, shift: float = 0.0, zoom: float = 0.0, flip: bool = False, seed: int | None = None
) -> list[keras.layers.Layer]:
    """Build the layers that move training images and their boxes alike.

    What comes in is black, and boxes are cut to the image; those of which nothing is left are left out.

    Args:
        shift: Farthest move up, down, left or right, as a fraction of the size, default 0, at most 1.
        zoom: Largest change of the scale, up or down, default 0, below 1; height and width alike.
        flip: Whether half of the images are mirrored left to right, default False, as for digits.
        seed: Of all draws; None (default) follows `keras.utils.set_random_seed`.

    Returns:
        Layers of a mapping of "images" and "bounding_boxes", as Keras's take it.

    Raises:
        InputError: An argument is out of its range.

    Example:
        >>> [type(layer).__name__ for layer in box_augmentation(shift=0.1, flip=True)]
        ['RandomTranslation', 'RandomFlip']
    """
    for name, value, fits in (("shift", shift, 0 <= shift <= 1), ("zoom", zoom, 0 <= zoom < 1)):
        if not fits:
            raise InputError(f"{name} must be a number from 0 to 1; received {value!r}.")
    seeds = layer_seeds(seed, 3)
    common = {"bounding_box_format": _FORMAT, "dtype": "float32"}
    black = {"fill_mode": "constant", **common}
    # Whole pixels: interpolation would blur what is moved.
    return [
        *(
            [layers.RandomTranslation(shift, shift, interpolation="nearest", seed=seeds[0], **black)]
            if shift
            else []
        ),
        *([layers.RandomZoom((-zoom, zoom), seed=seeds[1], **black)] if zoom else []),
        *([layers.RandomFlip("horizontal", seed=seeds[2], **common)] if flip else []),
    ]

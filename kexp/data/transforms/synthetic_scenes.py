"""Canvases: small labelled images pasted among clutter, with a mask of what lies where."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.core.memory_budget import require_bytes
from kexp.data.dataset import Dataset, Split, class_names, require_dataset
from kexp.data.sources.image_resizing import Size, resize
from kexp.data.splits import TEST_SEED, read_only
from kexp.data.targets import has_labels

BACKGROUND = "background"

PARTS = ("train", "validation", "test")
MOST_DRAWN = 1000  # objects, or patches, on a canvas
OWN = 0.3  # share of an image's brightest pixel above which a pixel is the object's own
_PLACES = 8  # tried for each object; the one with the least overlap is taken
_PATCH = (0.25, 0.5)  # sides of a patch of clutter, as shares of an object's
NOISE = 24  # brightest pixel of the noise below everything
_PIXEL_BYTES = 5  # of its grey and its class
FAINTEST = 0.6  # least brightness that an object or a patch keeps


def canvases(
    data: Dataset,
    *,
    size: Size | None = None,
    samples: Mapping[str, int] | Sequence[int] = (2000, 300, 500),
    objects: tuple[int, int] = (1, 2),
    scale: tuple[float, float] = (0.4, 0.6),
    clutter: int = 4,
    seed: int = 0,
) -> Dataset:
    """Make data for segmentation of labelled images: objects on cluttered canvases, and whose each pixel is.

    Clutter is cut out of other images of the same part, so it is as bright as the objects and made of the
    same strokes: what a pixel belongs to shows only in the shape that it is a part of. Canvases of a part
    are made of the images of that part alone.

    Source: after the cluttered digits of Mnih et al. 2014, "Recurrent models of visual attention".

    Args:
        data: Grey images for classification, objects brighter than their background.
        size: (height, width) of a canvas in pixels; default (40, 40) for images of up to 16 pixels,
            (64, 64) for larger ones.
        samples: Canvases for training, validation and test, by part or in this order, each 1 or more;
            default (2000, 300, 500). Parts that `data` does not have are left out.
        objects: Fewest and most objects on a canvas, from 1 on; default (1, 2). Later ones lie on top.
        scale: Least and largest side of an object, as shares of the canvas's shorter side; default
            (0.4, 0.6), at most 1.
        clutter: Patches on a canvas, default 4; 0 for none.
        seed: Of training and validation canvases, default 0; the test part is always the same.

    Returns:
        Data of the kind "image" for segmentation: inputs (samples, height, width, 1) uint8, targets
        (samples, height, width) int32: 0 for the background, the class index plus 1 where an object is
        brighter than 0.3 of its brightest pixel; every array read-only.

    Raises:
        InputError: The data are no grey images for classification, or an argument is out of range.

    Example:
        >>> import kexp
        >>> made = canvases(kexp.data.load("digits"), samples=(20, 5, 5))
        >>> made.train.inputs.shape, made.train.targets.shape, made.spec.class_names[:3]
        ((20, 40, 40, 1), (20, 40, 40), ('background', '0', '1'))
    """
    require_grey_labelled(data)
    if size is None:
        size = (40, 40) if max(data.spec.input_shape[:2]) <= 16 else (64, 64)
    counts = part_counts(samples)
    _require_arguments(size, objects, scale, clutter, seed)
    drawn_from = [part for part in PARTS if getattr(data, part) is not None]
    pixels = sum(counts[part] for part in drawn_from) * size[0] * size[1]
    require_bytes(pixels * _PIXEL_BYTES, f"size={tuple(size)} of so many samples")
    sides = tuple(max(round(share * min(size)), 1) for share in scale)
    parts = {}
    for number, part in enumerate(PARTS):
        split: Split | None = getattr(data, part)
        if split is not None:
            generator = np.random.default_rng([TEST_SEED if part == "test" else seed, number])
            drawn = [_canvas(split, size, objects, sides, clutter, generator) for _ in range(counts[part])]
            inputs, targets = (np.stack(arrays) for arrays in zip(*drawn, strict=True))
            parts[part] = read_only(inputs, targets)
    described = (data.fingerprint, tuple(size), *counts.values(), *objects, *scale, clutter, seed)
    names = (BACKGROUND, *class_names(data.spec))
    return made_of(data, parts, "segmentation", size, names, described)


def made_of(
    data: Dataset,
    parts: Mapping[str, Split],
    task: str,
    size: Size,
    names: tuple[str, ...],
    described: tuple[object, ...],
) -> Dataset:
    """Return the data set of scenes that were made of another one's images.

    Args:
        data: What they were made of.
        parts: By name, with the training part.
        task: Of the scenes.
        size: (height, width) in pixels.
        names: Of the classes.
        described: All that the scenes follow from.
    """
    return replace(
        data,
        train=parts["train"],
        validation=parts.get("validation"),
        test=parts.get("test"),
        spec=replace(data.spec, input_shape=(*size, 1), task=task, outputs=len(names), class_names=names),
        fingerprint=hashlib.sha256(repr(described).encode()).hexdigest(),
    )


def cluttered(
    size: Size, clutter: int, draw: Callable[[], np.ndarray], generator: np.random.Generator
) -> np.ndarray:
    """Return (height, width) uint8: noise, and on it patches of so many images, which `draw` gives."""
    scene = generator.integers(0, NOISE + 1, size).astype(np.uint8)
    for _ in range(clutter):
        patch = patch_of(draw(), generator)
        under = scene[place_of(size, patch.shape, generator)]
        np.maximum(under, patch, out=under)
    return scene


def _canvas(
    split: Split,
    size: Size,
    objects: tuple[int, int],
    sides: Sequence[int],
    clutter: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a canvas (height, width, 1) uint8 and its mask (height, width) int32."""
    canvas = cluttered(size, clutter, lambda: _drawn(split, sides, generator)[0], generator)
    mask = np.zeros(size, np.int32)
    taken = np.zeros(size, bool)
    for _ in range(generator.integers(objects[0], objects[1] + 1)):
        image, label = _drawn(split, sides, generator)
        places = [place_of(size, image.shape, generator) for _ in range(_PLACES)]
        place = min(places, key=lambda place: int(taken[place].sum()))
        own = image > OWN * image.max()
        canvas[place] = np.where(own, image, np.maximum(canvas[place], image))
        mask[place][own] = label + 1
        taken[place] = True
    return canvas[..., None], mask


def _drawn(split: Split, sides: Sequence[int], generator: np.random.Generator) -> tuple[np.ndarray, int]:
    """Return an image of the part, resized and at most as bright as it was, and its class index."""
    row = generator.integers(len(split))
    side = int(generator.integers(sides[0], sides[1] + 1))
    image = resize([split.inputs[row]], (side, side))[0, ..., 0]  # type: ignore[index]
    return (image * generator.uniform(FAINTEST, 1.0)).astype(np.uint8), int(split.targets[row])


def patch_of(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a patch from the middle of an image, where its object is."""
    height, width = (max(round(generator.uniform(*_PATCH) * side), 1) for side in image.shape)
    first, left = (
        side // 8 + generator.integers(max(side - side // 8 * 2 - cut, 0) + 1)
        for side, cut in zip(image.shape, (height, width), strict=True)
    )
    return image[first : first + height, left : left + width]


def place_of(size: Size, shape: tuple[int, ...], generator: np.random.Generator) -> tuple[slice, slice]:
    first, left = (generator.integers(whole - part + 1) for whole, part in zip(size, shape, strict=True))
    return slice(first, first + shape[0]), slice(left, left + shape[1])


def require_grey_labelled(data: Dataset) -> None:
    require_dataset(data)
    spec = data.spec
    grey = spec.kind == "image" and spec.dtype == "uint8" and spec.input_shape[-1] == 1
    if not grey or not has_labels(spec.task):
        raise InputError(
            f"data {data.name!r}: expected grey images of 8 bits for classification, received kind "
            f"{spec.kind!r} of shape {spec.input_shape} for {spec.task}; give other data such as 'digits'."
        )


def part_counts(samples: Any) -> dict[str, int]:
    listed = samples if isinstance(samples, list | tuple) else ()
    counts = dict(samples) if isinstance(samples, Mapping) else dict(zip(PARTS, listed, strict=False))
    if tuple(counts) != PARTS or not all(map(is_count, counts.values())):
        raise InputError(
            f"samples={shown(samples)}: expected whole numbers of 1 or more for train, validation and test; "
            "pass three."
        )
    return counts


def is_count(value: object, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _require_arguments(size: Any, objects: Any, scale: Any, clutter: Any, seed: object) -> None:
    for argument, value, expected, fits in (
        ("size", size, "two whole numbers of pixels, (height, width)", are_counts(size)),
        (
            "objects",
            objects,
            f"the fewest and the most, from 1 to {MOST_DRAWN}",
            are_counts(objects) and rises(objects) and objects[1] <= MOST_DRAWN,
        ),
        (
            "scale",
            scale,
            "two rising shares above 0, at most 1",
            rises(scale) and 0 < scale[0] <= scale[1] <= 1,
        ),
        (
            "clutter",
            clutter,
            f"a whole number of patches, 0 to {MOST_DRAWN}",
            is_count(clutter, 0) and clutter <= MOST_DRAWN,
        ),
        ("seed", seed, "a whole number of 0 or more", is_count(seed, 0)),
    ):
        if not fits:
            raise InputError(f"{argument}={shown(value)}: expected {expected}; pass such.")


def are_counts(values: Any) -> bool:
    return isinstance(values, tuple | list) and len(values) == 2 and all(map(is_count, values))


def rises(values: Any) -> bool:
    return (
        isinstance(values, tuple | list)
        and len(values) == 2
        and all(isinstance(value, int | float) for value in values)
        and all(first <= second for first, second in itertools.pairwise(values))
    )

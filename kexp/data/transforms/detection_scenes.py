"""Scenes: small labelled images of many sizes pasted among clutter, with the exact box of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.core.memory_budget import require_bytes
from kexp.core.reading_progress import Work, shown_work
from kexp.data.dataset import Dataset, Split, class_names
from kexp.data.sources.image_resizing import Size, resize
from kexp.data.splits import TEST_SEED, read_only
from kexp.data.targets.boxes import padded_boxes
from kexp.data.transforms.synthetic_scenes import (
    FAINTEST,
    MOST_DRAWN,
    OWN,
    PARTS,
    are_counts,
    cluttered,
    is_count,
    made_of,
    part_counts,
    place_of,
    require_grey_labelled,
    rises,
)

_PLACES = 24  # tried for each object, half of them at another size
_SCENES = 20  # tried, where the fewest objects did not fit


class _Arguments(NamedTuple):
    """What scenes are made by; see `scenes`."""

    size: Size
    objects: tuple[int, int]
    sides: tuple[int, int]
    overlap: float
    clutter: int
    empty: float


def scenes(
    data: Dataset,
    *,
    size: Size = (128, 128),
    samples: Mapping[str, int] | Sequence[int] = (4000, 300, 500),
    objects: tuple[int, int] = (1, 8),
    sides: tuple[int, int] = (14, 48),
    overlap: float = 0.25,
    clutter: int = 8,
    empty: float = 0.05,
    seed: int = 0,
) -> Dataset:
    """Make data for detection of labelled images: objects of many sizes among clutter, and their boxes.

    Clutter is cut out of other images of the same part, so that strokes alone tell nothing. Scenes of a part
    are made of the images of that part alone. A box is exact: the object's own pixels reach all of its sides,
    also where a later object covers some of them.

    Source: after the cluttered digits of Mnih et al. 2014, "Recurrent models of visual attention".

    Args:
        data: Grey images for classification, objects brighter than their background.
        size: (height, width) of a scene in pixels, default (128, 128).
        samples: Scenes for training, validation and test, by part or in this order, each 1 or more; default
            (4000, 300, 500). Parts that `data` does not have are left out.
        objects: Fewest and most objects in a scene that is not empty, from 1 on; default (1, 8).
        sides: Least and largest longer side of an object's box in pixels, from 2 to the shorter side of a
            scene, each size as likely as the others; default (14, 48).
        overlap: Largest share of a box that lies in another one, from 0 to 1; default 0.25, so that none is
            hidden.
        clutter: Patches of other images in a scene, default 8; 0 for none.
        empty: Share of scenes without an object, from 0 to below 1; default 0.05.
        seed: Of training and validation scenes, default 0; the test part is always the same.

    Returns:
        Data of the kind "image" for detection: inputs (samples, height, width, 1) uint8, targets (samples,
        boxes, 6) float32: x_min, y_min, x_max, y_max in pixels from the upper left corner, the class index
        and 0, or -1 throughout where a scene has fewer boxes; every array read-only.

    Raises:
        InputError: The data are no grey images for classification, an argument is out of range, or so many
            objects do not fit.

    Example:
        >>> import kexp
        >>> made = scenes(kexp.data.load("digits"), size=(64, 64), samples=(20, 5, 5), objects=(1, 3))
        >>> made.train.inputs.shape, made.train.targets.shape, made.spec.task
        ((20, 64, 64, 1), (20, 3, 6), 'detection')
    """
    require_grey_labelled(data)
    counts = part_counts(samples)
    asked = _checked(_Arguments(size, objects, sides, overlap, clutter, empty), seed)
    drawn_from = [part for part in PARTS if getattr(data, part) is not None]
    total = sum(counts[part] for part in drawn_from)
    require_bytes(total * size[0] * size[1], f"size={tuple(size)} of so many samples")
    parts = {}
    with shown_work("making scenes", total, "scenes") as work:
        for number, part in enumerate(PARTS):
            split: Split | None = getattr(data, part)
            if split is not None:
                generator = np.random.default_rng([TEST_SEED if part == "test" else seed, number])
                parts[part] = _part(split, counts[part], asked, generator, work)
    described = (data.fingerprint, *counts.values(), *asked, seed)
    return made_of(data, parts, "detection", size, class_names(data.spec), described)


def _part(split: Split, count: int, asked: _Arguments, generator: np.random.Generator, work: Work) -> Split:
    images, boxes = [], []
    for _ in range(count):
        image, own = _scene(split, asked, generator)
        images.append(image)
        boxes.append(own)
        work.advance()
    return read_only(np.stack(images), padded_boxes(boxes))


def _scene(split: Split, asked: _Arguments, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a scene (height, width, 1) uint8 and its boxes (n, 6)."""
    scene = cluttered(asked.size, asked.clutter, lambda: _drawn(split, asked.sides, generator)[0], generator)
    if generator.random() < asked.empty:
        return scene[..., None], np.zeros((0, 6), np.float32)
    wanted = int(generator.integers(asked.objects[0], asked.objects[1] + 1))
    for _ in range(_SCENES):
        placed = _placed(split, asked, wanted, generator)
        if len(placed) >= asked.objects[0]:
            break
    else:
        raise InputError(
            f"objects={shown(asked.objects)}: so many of sides={asked.sides} do not fit on "
            f"size={tuple(asked.size)} with overlap={asked.overlap}; ask for fewer or smaller ones."
        )
    for image, _, box in placed:
        left, top, right, bottom = box
        under = scene[top:bottom, left:right]
        under[...] = np.where(image > OWN * image.max(), image, np.maximum(under, image))
    return scene[..., None], np.array([(*box, label, 0) for _, label, box in placed], np.float32)


_Box = tuple[int, int, int, int]


def _placed(
    split: Split, asked: _Arguments, wanted: int, generator: np.random.Generator
) -> list[tuple[np.ndarray, int, _Box]]:
    """Return so many objects at places where they overlap no more than allowed, fewer if need be."""
    placed: list[tuple[np.ndarray, int, _Box]] = []
    for _ in range(wanted):
        for attempt in range(_PLACES):
            if not attempt % (_PLACES // 2):
                image, label = _drawn(split, asked.sides, generator)
            rows, columns = place_of(asked.size, image.shape, generator)
            box = (columns.start, rows.start, columns.stop, rows.stop)
            if all(_overlap(box, other) <= asked.overlap for _, _, other in placed):
                placed.append((image, label, box))
                break
    return placed


def _overlap(box: _Box, other: _Box) -> float:
    """Return the share of the smaller of two boxes that lies in the other; too few for arrays."""
    wide = min(box[2], other[2]) - max(box[0], other[0])
    tall = min(box[3], other[3]) - max(box[1], other[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    return wide * tall / min((one[2] - one[0]) * (one[3] - one[1]) for one in (box, other))


def _drawn(split: Split, sides: tuple[int, int], generator: np.random.Generator) -> tuple[np.ndarray, int]:
    """Return an object of the part, cut to its own pixels, its longer side as drawn, and its class index."""
    row = generator.integers(len(split))
    side = int(generator.integers(sides[0], sides[1] + 1))
    image = split.inputs[row]  # type: ignore[index]
    image = image[_own_pixels(image[..., 0])]
    longer = max(image.shape[:2])
    height, width = (max(round(one * side / longer), 2) for one in image.shape[:2])
    image = resize([image], (height, width))[0, ..., 0]
    image = (image * generator.uniform(FAINTEST, 1.0)).astype(np.uint8)
    return image[_own_pixels(image)], int(split.targets[row])


def _own_pixels(image: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns that the object of an image reaches; all of an image without one."""
    own = image > OWN * image.max()
    if not own.any():
        return slice(None), slice(None)
    ends = []
    for axis in (1, 0):
        reached = np.flatnonzero(own.any(axis=axis))
        ends.append(slice(int(reached[0]), int(reached[-1]) + 1))
    return ends[0], ends[1]


def _checked(asked: _Arguments, seed: object) -> _Arguments:
    size, objects, sides, overlap, clutter, empty = asked
    sized = are_counts(size)
    for argument, value, expected, fits in (
        ("size", size, "two whole numbers of pixels, (height, width)", sized),
        (
            "objects",
            objects,
            f"the fewest and the most, from 1 to {MOST_DRAWN}",
            are_counts(objects) and rises(objects) and objects[1] <= MOST_DRAWN,
        ),
        (
            "sides",
            sides,
            "the least and the largest in pixels, from 2 to the shorter side of size",
            are_counts(sides) and rises(sides) and sides[0] >= 2 and (not sized or sides[1] <= min(size)),
        ),
        ("overlap", overlap, "a number from 0 to 1", _is_share(overlap)),
        (
            "clutter",
            clutter,
            f"a whole number of patches, 0 to {MOST_DRAWN}",
            is_count(clutter, 0) and clutter <= MOST_DRAWN,
        ),
        ("empty", empty, "a share of at least 0 and below 1", _is_share(empty) and empty < 1),
        ("seed", seed, "a whole number of 0 or more", is_count(seed, 0)),
    ):
        if not fits:
            raise InputError(f"{argument}={shown(value)}: expected {expected}; pass such.")
    return asked._replace(
        size=(size[0], size[1]), objects=(objects[0], objects[1]), sides=(sides[0], sides[1])
    )


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1

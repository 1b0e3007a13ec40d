"""Annotated images: files of images with the boxes that a file of annotations gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kexp.core.errors import InputError
from kexp.core.name_lists import listed
from kexp.data.dataset import Source
from kexp.data.given_tables import PART_NAMES
from kexp.data.sources.folder_layout import IMAGES
from kexp.data.sources.image_files import decoded_images, image_notes, require_pixels, size_of_all
from kexp.data.sources.image_resizing import Resizing, Size
from kexp.data.targets.boxes import Box, cut_corners

_LEAST_SIDE = 1.0  # pixels of what is left of a box, when its image was cropped or made smaller


class Annotation(NamedTuple):
    """A box as a file has it.

    Attributes:
        place: File and line or number, for messages.
        box: In pixels of the image file, or where `relative` in shares of its width and height.
        relative: Whether it is in shares.
    """

    place: str
    box: Box
    relative: bool = False


class AnnotatedImage(NamedTuple):
    """An image and its boxes.

    Attributes:
        path: The image file.
        annotations: Its boxes, any number.
        size: (height, width) that the annotations say it has; None: they do not say.
        place: What says so, for messages.
    """

    path: Path
    annotations: Sequence[Annotation]
    size: Size | None = None
    place: str = ""


def annotated_source(
    name: str,
    parts: Mapping[str, Sequence[AnnotatedImage]],
    class_names: Sequence[str],
    resizing: Resizing | None,
    notes: Iterable[str] = (),
) -> Source:
    """Return images with boxes as data, boxes and images in one size; classes without boxes are left out.

    Args:
        name: Of the data.
        parts: Images by part.
        class_names: In the order of the class indices; empty: those of the boxes, in alphabetical order.
        resizing: To one size; None: all have it.
        notes: What is to be said of what was read.

    Raises:
        InputError: There is no image, one is broken or of another size than its annotations say, or a box has
            no area or lies outside its image.
    """
    every = [image for images in parts.values() for image in images]
    if not every:
        raise InputError(f"data {name!r}: expected images with annotations, received none; add some.")
    paths = [image.path for image in every]
    height, width = size_of_all(paths, resizing)
    require_pixels(f"{len(paths)} images such as {paths[0]}", len(paths), (height, width))
    pixels, boxes, sizes, largest, lost = [], [], [], [], 0
    for image, decoded in zip(every, decoded_images(paths, resizing), strict=True):
        placed = _placed(image, decoded.found, resizing)
        pixels.append(decoded.pixels)
        boxes.append(tuple(placed))
        lost += len(image.annotations) - len(placed)
        sizes.append(decoded.found)
        largest += [decoded.largest] if decoded.largest is not None else []
    used = {box.label for each in boxes for box in each}
    known = [one for one in class_names if one in used] if class_names else sorted(map(str, used))
    unused = [one for one in class_names if one not in used]
    said = [*notes, *image_notes(sizes, largest, resizing)]
    if unused:
        said.append(f"classes without a box are left out: {listed(unused)}.")
    if lost:
        said.append(f"{lost:,} boxes of which less than a pixel is left are left out.")
    channels = max(one.shape[-1] for one in pixels)
    stacked = np.stack([np.broadcast_to(one, (*one.shape[:2], channels)) for one in pixels])
    split, start = {}, 0
    for part, images in parts.items():
        rows = slice(start, start + len(images))
        own = np.empty(len(images), object)
        own[:] = boxes[rows]
        split[part] = (stacked[rows], own)
        start += len(images)
    return Source(name, split, class_names=tuple(known), task="detection", notes=tuple(said))


def part_of(name: str) -> str | None:
    """Return the part that a word in the name of a file or folder says, None where none does.

    Example:
        >>> part_of("instances_val2017"), part_of("photos")
        ('validation', None)
    """
    words = "".join(letter if letter.isalpha() else " " for letter in name.lower()).split()
    return next((PART_NAMES[word] for word in words if word in PART_NAMES), None)


def images_in(folder: Path) -> list[Path]:
    """Return the image files that lie directly in a folder, in order; none of a folder that is not there."""
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in IMAGES.suffixes and path.name[0] != "."
    )


def inside(folder: Path, name: str, place: str) -> Path:
    """Return the file of a name that annotations give, below a folder.

    Raises:
        InputError: The name leads out of the folder.
    """
    path = folder / name
    if not name or Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
        raise InputError(
            f"{place}: expected the name of an image file below {folder}, received {name!r}; correct it."
        )
    return path


def _placed(image: AnnotatedImage, found: Size, resizing: Resizing | None) -> list[Box]:
    """Return the boxes of an image in pixels of what it has become."""
    if image.size is not None and image.size != found:
        raise InputError(
            f"{image.place}: says that image {image.path.name} is {image.size[1]} × {image.size[0]} pixels "
            f"(width × height), and it is {found[1]} × {found[0]}; annotate it again, or restore the image."
        )
    placed = []
    for place, box, relative in image.annotations:
        corners = np.array(box[:4], np.float64)
        if relative:
            corners *= [found[1], found[0], found[1], found[0]]
        corners = np.array(cut_corners(place, list(corners), found))
        if resizing is not None:
            corners = _resized(corners, found, resizing)
        if (corners[2:] - corners[:2] >= _LEAST_SIDE).all():
            x_min, y_min, x_max, y_max = map(float, corners)
            placed.append(box._replace(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max))
    return placed


def _resized(corners: np.ndarray, found: Size, resizing: Resizing) -> np.ndarray:
    """Return corners in an image that was cut, scaled and padded, without what lies outside."""
    cut, scaled = resizing.cut(found), resizing.scaled(found)
    top, left = ((whole - part) // 2 for whole, part in zip(found, cut, strict=True))
    low, near = ((whole - part) // 2 for whole, part in zip(resizing.size, scaled, strict=True))
    factor = np.array([scaled[1] / cut[1], scaled[0] / cut[0]] * 2)
    moved = (corners - [left, top, left, top]) * factor
    moved = np.clip(moved, 0.0, [scaled[1], scaled[0]] * 2)
    return moved + np.array([near, low, near, low])

"""Stored images: a folder of images that is too large for memory, decoded once into a file of pixels.

All images have to be decoded before the training anyway, for the fingerprint of the data and to name those
that are broken. Their pixels are kept then, since reading them back is far quicker than decoding again: of
64 by 64 pixels an image in any order takes 7 µs, and 160 µs by TensorFlow's PNG decoder or 500 µs by Pillow,
from whose orientation, 16 bits and resizing the numbers in memory come (two cores). The price is room on the
disk: as much as the images would take in memory.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kexp.core.cache_dir import cache_dir, full_disk_explained, require_room
from kexp.core.files import replacing, write_json
from kexp.core.memory_budget import gigabytes
from kexp.core.waiting_lock import waiting_lock
from kexp.data.sources.base import Size
from kexp.data.sources.image_files import (
    CHANNELS,
    DecodedImage,
    decoded_images,
    image_notes,
    require_pixels,
    size_of_all,
)
from kexp.data.sources.image_resizing import Resizing
from kexp.data.stored_arrays import StoredArray, require_positioned_reads, stored_file

_FORMAT = 2  # the notes say what was resized
_BATCH = 32  # images that have to be in memory together, as the training does with them
_BLOCK_BYTES = 1 << 22


def stored_images(
    folder: Path, paths: Sequence[Path], resizing: Resizing | None = None
) -> tuple[StoredArray, tuple[str, ...]]:
    """Return images as `read_images` does, on the disk, where they are decoded once.

    The file is found again by the paths, sizes and times of the images, and replaced when one has changed.

    Args:
        folder: In which the images are.
        paths: Of the images.
        resizing: To the one size; None when all have the same size.

    Raises:
        InputError: As for `read_images`; or there is no room on the disk.
    """
    require_positioned_reads()
    place = cache_dir() / f"images-{_digest([str(folder.resolve()), resizing and astuple(resizing)])}"
    pixels = place / f"{_digest([_FORMAT, *map(_state, paths)])}.pixels"
    with full_disk_explained(place), _alone_in(place):
        images = _found(pixels) or _decoded_into(pixels, paths, resizing)
    where = (
        f"{len(paths):,} images are read from disk while they are trained on: in memory they would take "
        f"{gigabytes(images.array.nbytes)}. Their pixels are in {place}, which may be removed after the run."
    )
    return images.array, (*images.notes, where)


class _Images(NamedTuple):
    array: StoredArray
    notes: Sequence[str]


@contextmanager
def _alone_in(place: Path) -> Iterator[None]:
    """Wait until no other process writes into a folder, which is made: what it writes is wanted here too."""
    place.mkdir(parents=True, exist_ok=True)
    lock = place / "lock"
    lock.touch()
    with waiting_lock(lock):
        yield


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]


def _state(path: Path) -> list[str | int]:
    found = os.stat(path)
    return [str(path), found.st_size, found.st_mtime_ns]


def _described(pixels: Path) -> Path:
    return pixels.with_suffix(".json")


def _found(pixels: Path) -> _Images | None:
    """Return what an earlier run has written; None if there is nothing, or not all of it."""
    try:
        content = json.loads(_described(pixels).read_text(encoding="utf-8"))
        shape, notes = tuple(content["shape"]), content["notes"]
        if pixels.stat().st_size != math.prod(shape):
            return None
        return _Images(stored_file(pixels, shape, np.uint8), notes)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _decoded_into(pixels: Path, paths: Sequence[Path], resizing: Resizing | None) -> _Images:
    """Decode images into a file, whose description is written last, and remove those of earlier images."""
    height, width = size_of_all(paths, resizing)
    some = min(len(paths), _BATCH)
    require_pixels(f"a batch of {some} images such as {paths[0]}", some, (height, width))
    needed = len(paths) * height * width * CHANNELS
    require_room(pixels.parent, needed, f"{len(paths):,} images such as {paths[0]}")
    with replacing(pixels) as temporary:
        shape, sizes, largest = _write(temporary, decoded_images(paths, resizing))
    notes = image_notes(sizes, largest, resizing)
    write_json(_described(pixels), {"shape": shape, "notes": notes})
    for path in pixels.parent.glob("*.*"):
        if path.stem != pixels.stem:
            path.unlink(missing_ok=True)
    return _Images(stored_file(pixels, shape, np.uint8), notes)


def _write(path: Path, images: Iterator[DecodedImage]) -> tuple[tuple[int, ...], list[Size], list[int]]:
    """Write pixels, and return their shape, the size of each before, and the largest value of deep ones."""
    shape, sizes, largest = (0, 0, 0, 0), [], []
    file = open(path, "wb")  # noqa: SIM115
    try:
        for image, deepest, found in images:
            count, _, _, channels = shape
            if count and image.shape[-1] > channels:
                file.close()
                _repeat_channel(path)
                file = open(path, "ab")  # noqa: SIM115
            shape = (count + 1, *image.shape[:2], max(channels, image.shape[-1]))
            file.write(np.ascontiguousarray(np.broadcast_to(image, shape[1:])).data)
            sizes.append(found)
            largest += [] if deepest is None else [deepest]
    finally:
        file.close()
    return shape, sizes, largest


def _repeat_channel(path: Path) -> None:
    """Make grey images coloured ones: the same value in each channel."""
    coloured = path.with_name(f"{path.name}.coloured")
    with open(path, "rb") as grey, open(coloured, "wb") as file:
        while block := grey.read(_BLOCK_BYTES):
            file.write(np.repeat(np.frombuffer(block, np.uint8), CHANNELS).data)
    os.replace(coloured, path)

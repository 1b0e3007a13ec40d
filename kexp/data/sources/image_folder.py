"""Folders of images, one folder per class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kexp.core.memory_budget import fits_in_memory
from kexp.data.dataset import Source
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions
from kexp.data.sources.folder_layout import IMAGES, folder_layout, has_files
from kexp.data.sources.image_files import CHANNELS, decoded_images, image_notes, require_pixels, size_of_all
from kexp.data.sources.image_resizing import Resizing
from kexp.data.sources.stored_images import stored_images
from kexp.data.stored_arrays import StoredArray


class ClassFolders(DataSource):
    """A folder of images for each class."""

    name: ClassVar[str] = "images"
    description: ClassVar[str] = "images in class folders"
    folder_noun: ClassVar[str] = "class folders with images in them"
    asked_last: ClassVar[bool] = True
    is_stored: ClassVar[bool] = True

    def holds(self, folder: Path) -> bool:
        return has_files(folder, IMAGES)

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        return read_folder(place.path, place.name, options.resizing, options.in_memory)


def read_folder(folder: Path, name: str, resizing: Resizing | None, in_memory: bool | None = True) -> Source:
    """Read a folder of class folders, or of train, test and validation folders of them.

    Args:
        folder: Folder with a folder of images per class.
        name: Name of the data.
        resizing: To one size; None to take the images as they are.
        in_memory: Whether the images are held in memory, rather than on the disk; None: if they fit.

    Returns:
        (samples, height, width, channels) uint8, one channel when every image is grey and three
        otherwise (transparency is dropped), and the folder names as labels; notes on what was left out.

    Raises:
        InputError: For a folder that would be left out with images in it, an empty class folder, a broken
            image, or images of several sizes.
    """
    found = folder_layout(folder, IMAGES)
    paths = [path for labelled in found.parts.values() for path, _ in labelled]
    images: Any
    if in_memory is None:
        height, width = size_of_all(paths, resizing)
        in_memory = fits_in_memory(len(paths) * height * width * CHANNELS)
    if in_memory:
        images, notes = read_images(paths, resizing)
    else:
        images, notes = stored_images(folder, paths, resizing)
    parts, start = {}, 0
    for part, labelled in found.parts.items():
        labels = np.array([label for _, label in labelled], dtype=object)
        rows = slice(start, start + len(labels))
        parts[part] = (images.taken(rows) if isinstance(images, StoredArray) else images[rows], labels)
        start += len(labels)
    return Source(name, parts, notes=(*found.notes, *notes))


def read_images(
    paths: Sequence[Path], resizing: Resizing | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read images of one size, or resize them to one.

    Args:
        paths: Image files of 8 or 16 bits per channel, the latter scaled to 8.
        resizing: To the one size; None when all have the same size.

    Returns:
        (samples, height, width, channels) uint8, one channel when every image is grey, else three, and notes
        on images of other sizes and of 16 bits.

    Raises:
        InputError: For a broken image, images of several sizes, or more than fits into memory.
    """
    height, width = size_of_all(paths, resizing)
    require_pixels(f"{len(paths)} images such as {paths[0]}", len(paths), (height, width))
    images = list(decoded_images(paths, resizing))
    channels = max(image.pixels.shape[-1] for image in images)
    # A grey image among coloured ones: the same value in each channel.
    stacked = np.stack([np.broadcast_to(one.pixels, (*one.pixels.shape[:2], channels)) for one in images])
    largest = [one.largest for one in images if one.largest is not None]
    return stacked, image_notes([one.found for one in images], largest, resizing)

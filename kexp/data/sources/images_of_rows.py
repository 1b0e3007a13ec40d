"""Images of the rows of a table, which has their paths in a column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from kexp.data.dataset import Source
from kexp.data.sources.folder_layout import IMAGES
from kexp.data.sources.image_files import decoded_images, image_notes, require_pixels, size_of_all
from kexp.data.sources.image_resizing import Resizing
from kexp.data.sources.paths_of_rows import row_file


def with_images(
    read: Source, column: str, resizing: Resizing | None, folders: Mapping[str, Path | None]
) -> Source:
    """Return what was read of a table, or of one for each part, with the images in place of their paths.

    Args:
        read: Paths as the inputs of each part.
        column: That has them, for messages.
        resizing: To one size; None: all have it.
        folders: Of the table of each part, below which the files lie; None: the table is in memory, and its
            paths are those of whoever made it.

    Raises:
        InputError: A path leads out of the folder or to no image, an image cannot be read, or they are of
            several sizes.
    """
    paths = {
        part: [row_file(read.name, column, text, folders[part], IMAGES) for text in texts]
        for part, (texts, _) in read.parts.items()
    }
    every = [path for some in paths.values() for path in some]
    require_pixels(f"{len(every)} images such as {every[0]}", len(every), size_of_all(every, resizing))
    pixels, sizes, largest = [], [], []
    for image in decoded_images(every, resizing):
        pixels.append(image.pixels)
        sizes.append(image.found)
        largest += [image.largest] if image.largest is not None else []
    channels = max(one.shape[-1] for one in pixels)
    stacked = np.stack([np.broadcast_to(one, (*one.shape[:2], channels)) for one in pixels])
    parts, start = {}, 0
    for part, (_, targets) in read.parts.items():
        end = start + len(paths[part])
        parts[part] = (stacked[start:end], targets)
        start = end
    notes = (*read.notes, *image_notes(sizes, largest, resizing))
    return replace(read, parts=parts, columns=(), notes=notes)

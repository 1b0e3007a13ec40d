"""Sounds or images of the rows of a table, which has their paths in a column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kexp.data.dataset import Source
from kexp.data.sources.base import ReadOptions
from kexp.data.sources.images_of_rows import with_images
from kexp.data.sources.sounds_of_rows import with_sounds


def with_files(read: Source, options: ReadOptions, folders: Mapping[str, Path | None]) -> Source:
    """Return what was read of a table, or of one for each part, with files in place of their paths, if asked.

    Args:
        read: Paths as the inputs of each part, where the options name a column of them.
        options: How it was read.
        folders: Of the table of each part; None: it is in memory.

    Raises:
        InputError: A path leads out of the folder or to no such file, or one cannot be read.
    """
    if options.audio.audio is not None:
        return with_sounds(read, options.audio, folders)
    if options.image is not None:
        return with_images(read, options.image, options.resizing, folders)
    return read

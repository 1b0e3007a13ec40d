"""Images in memory that come to one size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kexp.core.errors import InputError
from kexp.data.dataset import Kind, Source
from kexp.data.sources.image_files import require_pixels
from kexp.data.sources.image_resizing import Resizing, resize, resizing_notes
from kexp.data.targets import target_kinds


def in_one_size(
    read: Source, kind: Kind, inputs: dict[str, Any], resizing: Resizing | None
) -> tuple[Source, dict[str, Any]]:
    """Return images in a size that was asked for, and what was read with a note, if the source did not do it.

    Raises:
        InputError: They are no images, have masks or boxes, or do not fit into memory.
    """
    if resizing is None:
        return read, inputs
    image_size = resizing.size
    if kind != "image":
        raise InputError(
            f"image_size={image_size}: data {read.name!r} is of kind {kind!r}, not images; leave it out."
        )
    found = inputs["train"].shape[1:3]
    if found == image_size:
        return read, inputs
    kinds = target_kinds().values()
    parts = [(inputs[split], y) for split, (_, y) in read.parts.items()]
    found_kinds = [one.name for one in kinds if any(one.resized_with_inputs(x, y) for x, y in parts)]
    if found_kinds:
        raise InputError(
            f"image_size={image_size}: data {read.name!r} has {found_kinds[0]}, which would have to be "
            "resized with their images; resize both before, masks without blending."
        )
    count, channels = sum(map(len, inputs.values())), inputs["train"].shape[-1]
    require_pixels(f"image_size={image_size} of {count} images", count, image_size, channels)
    notes = (*read.notes, *resizing_notes([found] * count, resizing))
    return replace(read, notes=notes), {
        part: resize(x, image_size, resizing.way) for part, x in inputs.items()
    }

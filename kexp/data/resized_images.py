"""Images in one size: what asks for it, and images in memory that come to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from kexp.core.constraints import Resize, plain
from kexp.core.errors import InputError, nearest, shown
from kexp.data.dataset import Kind, Source
from kexp.data.sources.image_files import require_pixels
from kexp.data.sources.image_resizing import Resizing, Size, resize, resizing_notes
from kexp.data.targets import target_kinds


def checked_size(image_size: Any, resize: object) -> Size | None:
    """Return the size that images come to, refusing what is none, and a way to one without it.

    Args:
        image_size: (height, width) in pixels, or None.
        resize: A `Resize`, or None.

    Raises:
        InputError: It is none.

    Example:
        >>> checked_size(None, "crop")
        Traceback (most recent call last):
        ...
        kexp.InputError: resize='crop': there is no size to bring images to; give image_size=(height, width)
        too, or leave resize out.
    """
    image_size = tuple(map(plain, image_size)) if isinstance(image_size, tuple | list) else image_size
    if image_size is not None and not _is_size(image_size):
        raise InputError(
            f"image_size={shown(image_size)}: expected two whole numbers of pixels; pass (height, width)."
        )
    known = get_args(Resize)
    if resize is not None and resize not in known:
        raise InputError(
            f"resize={shown(resize)}: expected one of {', '.join(map(repr, known))}"
            f"{nearest(str(resize), known)}; pass one of them."
        )
    if resize is not None and image_size is None:
        raise InputError(
            f"resize={shown(resize)}: there is no size to bring images to; give "
            "image_size=(height, width) too, or leave resize out."
        )
    return image_size


def _is_size(value: object) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(isinstance(pixels, int) and not isinstance(pixels, bool) and pixels > 0 for pixels in value)
    )


def in_one_size(
    read: Source, kind: Kind, inputs: dict[str, Any], resizing: Resizing | None
) -> tuple[Source, dict[str, Any]]:
    """Return images in a size that was asked for, and what was read with a note, if the source did not do it.

    Raises:
        InputError: They are no images, have masks, or do not fit into memory.
    """
    if resizing is None:
        return read, inputs
    image_size = resizing.size
    if kind != "image":
        raise InputError(
            f"image_size={image_size}: data {read.name!r} is of kind {kind!r}, not images; leave it out."
        )
    kinds = target_kinds().values()
    parts = [(inputs[split], y) for split, (_, y) in read.parts.items()]
    if any(targets.resized_with_inputs(x, y) for targets in kinds for x, y in parts):
        raise InputError(
            f"image_size={image_size}: data {read.name!r} has masks, which would have to be resized with "
            "their images; resize both before, the masks without blending."
        )
    found = inputs["train"].shape[1:3]
    if found == image_size:
        return read, inputs
    count, channels = sum(map(len, inputs.values())), inputs["train"].shape[-1]
    require_pixels(f"image_size={image_size} of {count} images", count, image_size, channels)
    notes = (*read.notes, *resizing_notes([found] * count, resizing))
    return replace(read, notes=notes), {
        part: resize(x, image_size, resizing.way) for part, x in inputs.items()
    }

"""The arguments of images, as `kexp.data.load` and recipes take them."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict, get_args

from kexp.core.constraints import AtLeast, Resize, plain
from kexp.core.errors import InputError, nearest, shown


class ImageArguments(TypedDict, total=False):
    """How images are brought to one size, and where they are held; all may be left out.

    Attributes:
        image_size: (height, width) in pixels that images are resized to; None takes them as they are.
        resize: How those of another shape are resized: stretch (as None), each axis by itself; crop, the
            middle is cut out in its proportions, then scaled; pad, scaled until they fit, amid black.
        in_memory: Whether the images are held in memory, not read from disk; None: if they fit.
    """

    image_size: Annotated[tuple[int, int], AtLeast(1)] | None
    resize: Resize | None
    in_memory: bool | None


def checked_size(image_size: Any, resize: object) -> tuple[int, int] | None:
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

"""Files of images: decoded as they are, or as their camera was held, and what they announce of themselves."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kexp.core.errors import InputError
from kexp.core.foreign_files import reading
from kexp.core.memory_budget import require_bytes
from kexp.core.reading_progress import shown_work
from kexp.data.sources.base import Size
from kexp.data.sources.image_resizing import Resizing, resizing_notes

if TYPE_CHECKING:
    import PIL.Image

# What Pillow may take a file for, whatever its name ends in: of others it starts programs to draw them.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "AVIF", "PPM")
_IMAGE = "an image"
_ADVICE = "replace or remove it"
_PNG_DEPTH = 24  # where a PNG says how many bits its channels have
_BITS_PER_SAMPLE = 258  # TIFF's tag
_ORIENTATION = 0x0112  # EXIF's tag
_SCALE = 257  # of 16 bits to 8: 65,535 / 255
CHANNELS = 3  # of an image, before it is known to be grey
_AHEAD = 64  # images that are decoded while others are taken, fewer where they are large
_AHEAD_BYTES = 1 << 26
_opening = threading.Lock()  # what Python does about warnings is one for all threads


class DecodedImage(NamedTuple):
    """An image as an array.

    Attributes:
        pixels: (height, width, channels) uint8, of one channel where the image is grey, else three.
        largest: The largest value of a file of 16 bits per channel; None: it has 8.
        found: (height, width) before it was resized.
    """

    pixels: np.ndarray
    largest: int | None
    found: Size


def decoded_images(paths: Sequence[Path], resizing: Resizing | None = None) -> Iterator[DecodedImage]:
    """Yield images of one size, or resized to one, in order; some are decoded ahead, by several threads.

    Args:
        paths: Image files of 8 or 16 bits per channel, the latter scaled to 8.
        resizing: To the one size; None when all have the same size.

    Raises:
        InputError: For a broken image, one that does not fit into memory, or images of several sizes.
    """
    first: Size | None = None
    height, width = size_of_all(paths, resizing)
    ahead = min(max(_AHEAD_BYTES // (height * width * CHANNELS), 1), _AHEAD)
    decoded = partial(_decoded, resizing=resizing)
    with (
        shown_work("reading images", len(paths), "images") as work,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        for start in range(0, len(paths), ahead):
            some = paths[start : start + ahead]
            for path, image in zip(some, threads.map(decoded, some), strict=True):
                size = image.pixels.shape[:2]
                first = first or size
                if size != first:
                    raise _several_sizes(paths, first, path, size)
                yield image
                work.advance()


def size_of_all(paths: Sequence[Path], resizing: Resizing | None) -> Size:
    """Return the (height, width) that images come to, or that the first one announces."""
    return resizing.size if resizing else image_header(paths[0])[::-1]


def _decoded(path: Path, resizing: Resizing | None) -> DecodedImage:
    width, height = image_header(path)
    require_pixels(f"image {path}", 1, (height, width))
    upright = upright_image(path)
    found = (upright.image.height, upright.image.width)
    return DecodedImage(_pixels(upright, resizing), upright.largest, found)


def _several_sizes(paths: Sequence[Path], first: Size, path: Path, size: Size) -> InputError:
    """Return the refusal of images of several sizes, with the median of all."""
    width, height = (round(side) for side in np.median([_announced(each) for each in paths], axis=0))
    return InputError(
        f"image {path} has size {size} and {paths[0]} has {first} (height, width), expected one size; resize "
        f"all of them, for example to the median of all by image_size=({height}, {width}), on the command "
        f"line --image-size {height} {width}."
    )


def image_notes(sizes: Sequence[Size], largest: Sequence[int], resizing: Resizing | None) -> tuple[str, ...]:
    """Return what is to be said of images that were decoded.

    Args:
        sizes: (height, width) of each, before it was resized.
        largest: Of each image of 16 bits per channel, its largest value.
        resizing: What was done with those of another size.
    """
    resized = resizing_notes(sizes, resizing) if resizing else ()
    return (*resized, *_deep_notes(largest))


def _deep_notes(largest: Sequence[int]) -> tuple[str, ...]:
    if not largest:
        return ()
    return (
        f"images of 16 bits per channel, {len(largest):,} of them, are scaled to 8 bits, value / {_SCALE} "
        f"rounded; their largest value is {max(largest):,} of {_SCALE * 255:,}.",
    )


def _pixels(upright: UprightImage, resizing: Resizing | None) -> np.ndarray:
    """Return (height, width, channels) uint8, of one channel where the image is grey."""
    image = _converted(upright.image, "L" if upright.is_grey else "RGB")
    if resizing:
        image = resizing.image(image)
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def _converted(image: PIL.Image.Image, mode: str) -> PIL.Image.Image:
    return image if image.mode == mode else image.convert(mode)


def image_header(path: Path) -> tuple[int, int]:
    """Return the (width, height) that an image file announces, once its checksums are right.

    Raises:
        InputError: It is no image, or is broken.
    """
    with _opened(path) as opened:
        size = opened.size
        opened.verify()  # checksums, which decoding leaves aside
    return size


class UprightImage(NamedTuple):
    """A decoded image of 8 bits per channel, as its camera was held.

    Attributes:
        image: As Pillow has it.
        is_grey: Whether the file has no colours.
        largest: The largest value of a file of 16 bits per channel; None: it has 8.
    """

    image: PIL.Image.Image
    is_grey: bool
    largest: int | None


def upright_image(path: Path) -> UprightImage:
    """Return an image file decoded, one of 16 bits per channel scaled to 8.

    Raises:
        InputError: It is broken, or its values are neither of 8 nor of 16 bits.
    """
    from PIL import Image, ImageOps

    with _opened(path) as opened:
        opened.load()
        deep = _deep_values(path, opened)
        image: PIL.Image.Image = opened
        if deep is not None:
            image = Image.fromarray(np.round(deep / _SCALE).astype(np.uint8))
            image.getexif()[_ORIENTATION] = opened.getexif().get(_ORIENTATION, 1)
        ImageOps.exif_transpose(image, in_place=True)  # a large one is there once only
    if image.mode.startswith(("I", "F")):
        raise InputError(
            f"file {path}: expected 8 or 16 bits per channel, received an image of mode {image.mode}; "
            "convert it first."
        )
    return UprightImage(image, image.mode in ("1", "L", "LA"), None if deep is None else int(deep.max()))


def _deep_values(path: Path, opened: PIL.Image.Image) -> np.ndarray | None:
    """Return (height, width[, channels]) uint16 of an image of 16 bits per channel, else None."""
    if opened.format == "PNG":
        content = path.read_bytes()
        return _decoded_png(content) if content[_PNG_DEPTH] == 16 else None
    if opened.mode.startswith("I;16"):
        return np.asarray(opened).astype(np.uint16)
    if opened.format == "TIFF" and 16 in opened.tag_v2.get(_BITS_PER_SAMPLE, ()):  # type: ignore[attr-defined]
        raise InputError(
            f"file {path}: expected 8 bits per channel in a TIFF with colours, received 16, of which half "
            "would be lost; save it as PNG."
        )
    return None


def _decoded_png(content: bytes) -> np.ndarray:
    """Return the whole values of a PNG file of 16 bits, of whose colours Pillow reads the upper half."""
    import tensorflow as tf

    values = tf.io.decode_png(content, dtype=tf.uint16).numpy()
    return values[..., 0] if values.shape[-1] == 1 else values


def _announced(path: Path) -> tuple[int, int]:
    """Return the (width, height) in the header of an image file."""
    with _opened(path) as opened:
        return opened.size


@contextmanager
def _opened(path: Path) -> Iterator[PIL.Image.Image]:
    """Open an image file; whatever Pillow raises about it becomes a sentence."""
    from PIL import Image

    with reading(path, _IMAGE, _ADVICE):
        with _opening, _large_is_no_warning():
            image = Image.open(path, formats=FORMATS)
        with image as opened:
            yield opened


@contextmanager
def _large_is_no_warning() -> Iterator[None]:
    """Have Pillow refuse what is far too large, and say nothing of what is large: sizes are checked here."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def require_pixels(what: str, count: int, size: Size, channels: int = CHANNELS) -> None:
    """Refuse images that do not fit into memory.

    Args:
        what: Noun for the message.
        count: How many.
        size: (height, width) of each in pixels.
        channels: Of each; default 3.

    Raises:
        InputError: They do not.
    """
    require_bytes(count * size[0] * size[1] * channels, what)

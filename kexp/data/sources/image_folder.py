"""Folders of images, one folder per class, and resizing."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from kexp.core.errors import InputError
from kexp.core.foreign_files import reading
from kexp.core.memory_budget import require_bytes
from kexp.core.reading_progress import shown_work
from kexp.data.dataset import Source
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions, Size
from kexp.data.sources.image_layout import has_images, image_layout

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


class ClassFolders(DataSource):
    """A folder of images for each class."""

    name: ClassVar[str] = "images"
    description: ClassVar[str] = "images in class folders"
    folder_noun: ClassVar[str] = "class folders with images in them"
    asked_last: ClassVar[bool] = True

    def holds(self, folder: Path) -> bool:
        return has_images(folder)

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        return read_folder(place.path, place.name, options.image_size)


def read_folder(folder: Path, name: str, image_size: Size | None) -> Source:
    """Read a folder of class folders, or of train, test and validation folders of them.

    Args:
        folder: Folder with a folder of images per class.
        name: Name of the data.
        image_size: (height, width) in pixels to resize to; None to take the images as they are.

    Returns:
        (samples, height, width, channels) uint8, one channel when every image is grey and three
        otherwise (transparency is dropped), and the folder names as labels; notes on what was left out.

    Raises:
        InputError: For a folder that would be left out with images in it, an empty class folder, a broken
            image, or images of several sizes.
    """
    found = image_layout(folder)
    paths = [path for labelled in found.parts.values() for path, _ in labelled]
    images, notes = read_images(paths, image_size)
    parts, start = {}, 0
    for part, labelled in found.parts.items():
        labels = np.array([label for _, label in labelled], dtype=object)
        parts[part] = (images[start : start + len(labels)], labels)
        start += len(labels)
    return Source(name, parts, notes=(*found.notes, *notes))


def read_images(paths: Sequence[Path], image_size: Size | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read images of one size, or resize them to one.

    Args:
        paths: Image files of 8 or 16 bits per channel, the latter scaled to 8.
        image_size: (height, width) in pixels to resize to; None when all have the same size.

    Returns:
        (samples, height, width, channels) uint8, one channel when every image is grey, else three, and notes
        on images of 16 bits.

    Raises:
        InputError: For a broken image, images of several sizes, or more than fits into memory.
    """
    images: list[np.ndarray] = []
    largest: list[int] = []  # value of each image of 16 bits
    with shown_work("reading images", len(paths), "images") as work:
        for path in paths:
            upright = _fitting_image(path, image_size, len(paths))
            image = _pixels(upright, image_size)
            if images and image.shape[:2] != images[0].shape[:2]:
                raise _several_sizes(paths, images[0].shape[:2], path, image.shape[:2])
            images.append(image)
            largest += [] if upright.largest is None else [upright.largest]
            work.advance()
    channels = max(image.shape[-1] for image in images)
    # A grey image among coloured ones: the same value in each channel.
    stacked = np.stack([np.broadcast_to(image, (*image.shape[:2], channels)) for image in images])
    return stacked, _deep_notes(largest)


def _several_sizes(paths: Sequence[Path], first: Size, path: Path, size: Size) -> InputError:
    """Return the refusal of images of several sizes, with the median of all."""
    width, height = (round(side) for side in np.median([_announced(each) for each in paths], axis=0))
    return InputError(
        f"image {path} has size {size} and {paths[0]} has {first} (height, width), expected one size; resize "
        f"all of them, for example to the median of all by image_size=({height}, {width}), on the command "
        f"line --image-size {height} {width}."
    )


def _deep_notes(largest: Sequence[int]) -> tuple[str, ...]:
    if not largest:
        return ()
    return (
        f"images of 16 bits per channel, {len(largest):,} of them, are scaled to 8 bits, value / {_SCALE} "
        f"rounded; their largest value is {max(largest):,} of {_SCALE * 255:,}.",
    )


def _fitting_image(path: Path, image_size: Size | None, count: int) -> UprightImage:
    """Read an image, once so many of them are known to fit into memory."""
    width, height = image_header(path)
    require_pixels(f"image {path}", 1, (height, width))
    require_pixels(f"{count} images such as {path}", count, image_size or (height, width))
    return upright_image(path)


def _pixels(upright: UprightImage, image_size: Size | None) -> np.ndarray:  # (height, width, channels) uint8
    from PIL import Image

    image = _converted(upright.image, "L" if upright.is_grey else "RGB")
    if image_size:
        image = image.resize(image_size[::-1], Image.Resampling.BILINEAR)
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

    with reading(path, _IMAGE, _ADVICE), _large_is_no_warning(), Image.open(path, formats=FORMATS) as opened:
        yield opened


@contextmanager
def _large_is_no_warning() -> Iterator[None]:
    """Have Pillow refuse what is far too large, and say nothing of what is large: sizes are checked here."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def require_pixels(what: str, count: int, size: Size, channels: int = 3) -> None:
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


def resize(images: Iterable[np.ndarray], image_size: Size) -> np.ndarray:
    """Resize images, bilinear, with smoothing where they shrink.

    Args:
        images: (height, width, channels) uint8 each, of any sizes.
        image_size: (height, width) in pixels.

    Returns:
        (samples, height, width, channels) uint8.

    Example:
        >>> resize([np.full((8, 8, 1), 7, np.uint8)], (4, 2)).shape
        (1, 4, 2, 1)
    """
    from PIL import Image

    resized = []
    for image in images:
        planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(image, -1, 0)]
        scaled = [np.asarray(plane.resize(image_size[::-1], Image.Resampling.BILINEAR)) for plane in planes]
        resized.append(np.stack(scaled, axis=-1))
    return np.stack(resized)

"""Folders of images, one folder per class, and resizing."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.core.foreign_files import reading
from kexp.core.memory_budget import require_bytes
from kexp.data.dataset import Source
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions, Size

if TYPE_CHECKING:
    import PIL.Image

# What Pillow may take a file for, whatever its name ends in: of others it starts programs to draw them.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "AVIF", "PPM")
_IMAGE = "an image"
_ADVICE = "replace or remove it"
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
PART_FOLDERS = {"train": "train", "test": "test", "validation": "validation", "val": "validation"}


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


def class_folders(folder: Path) -> list[Path]:
    """The folders of a folder, those that systems leave behind aside."""
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))
    )


def part_folders(folder: Path) -> dict[str, Path]:
    """The folders train, test and validation (or val) by part; the folder itself if it is not so divided."""
    inner = class_folders(folder)
    parts = {PART_FOLDERS[path.name]: path for path in inner if path.name in PART_FOLDERS}
    # Among buses and cars, train is a class.
    divided = "train" in parts and (len(parts) == len(inner) or class_folders(parts["train"]))
    return parts if divided else {"train": folder}


def images_in(folder: Path) -> list[Path]:
    """Image files of a folder by their suffix; .DS_Store, README and the like are not among them."""
    return sorted(path for path in folder.iterdir() if _is_image(path))


def _require_whole_links(folder: Path) -> None:
    """Refuse a link that leads nowhere, or to itself, where it may have been the folder of a class."""
    for path in folder.iterdir():
        if path.is_symlink() and not path.exists():
            raise InputError(
                f"image folder {folder}: its link {path.name!r} leads nowhere; mend or remove it."
            )


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def has_images(folder: Path) -> bool:
    """Whether there is at least one image in a class folder of the training part."""
    classes = class_folders(part_folders(folder)["train"])
    return any(_is_image(path) for each in classes for path in each.iterdir())


def read_folder(folder: Path, name: str, image_size: Size | None) -> Source:
    """Read a folder of class folders, or of train, test and validation folders of them.

    Args:
        folder: Folder with a folder of images per class.
        name: Name of the data.
        image_size: (height, width) in pixels to resize to; None to take the images as they are.

    Returns:
        (samples, height, width, channels) uint8, one channel when every image is grey and three
        otherwise (transparency is dropped), and the folder names as labels.

    Raises:
        InputError: For an empty class folder, a broken image, or images of several sizes.
    """
    files = {part: _labelled_files(path) for part, path in part_folders(folder).items()}
    images = read_images([path for labelled in files.values() for path, _ in labelled], image_size)
    parts, start = {}, 0
    for part, labelled in files.items():
        labels = np.array([label for _, label in labelled], dtype=object)
        parts[part] = (images[start : start + len(labels)], labels)
        start += len(labels)
    return Source(name, parts)


def _labelled_files(folder: Path) -> list[tuple[Path, str]]:
    files = []
    _require_whole_links(folder)
    for path in class_folders(folder):
        images = images_in(path)
        if not images:
            raise InputError(
                f"image folder {path}: expected at least one image ({', '.join(sorted(SUFFIXES))}), received "
                f"none; add images or remove the folder."
            )
        files += [(image, path.name) for image in images]
    if not files:
        raise InputError(
            f"image folder {folder}: expected a folder of images per class, received none; put images "
            "that have no classes into a single one."
        )
    return files


def read_images(paths: Sequence[Path], image_size: Size | None = None) -> np.ndarray:
    """Read images of one size, or resize them to one.

    Args:
        paths: Image files of 8 bits per channel.
        image_size: (height, width) in pixels to resize to; None when all have the same size.

    Returns:
        (samples, height, width, channels) uint8, one channel when every image is grey, else three.

    Raises:
        InputError: For a broken image, images of several sizes, or more than fits into memory.
    """
    images: list[np.ndarray] = []
    for path in paths:
        image = _read_image(path, image_size, len(paths))
        if images and image.shape[:2] != images[0].shape[:2]:
            raise InputError(
                f"image {path} has size {image.shape[:2]} and {paths[0]} has {images[0].shape[:2]} (height, "
                f"width), expected one size; pass image_size=(height, width) to resize all of them."
            )
        images.append(image)
    channels = max(image.shape[-1] for image in images)
    # A grey image among coloured ones: the same value in each channel.
    return np.stack([np.broadcast_to(image, (*image.shape[:2], channels)) for image in images])


def _read_image(path: Path, image_size: Size | None, count: int) -> np.ndarray:
    """Read an image, once so many of them are known to fit into memory."""
    from PIL import Image

    width, height = image_header(path)
    require_pixels(f"image {path}", 1, (height, width))
    require_pixels(f"{count} images such as {path}", count, image_size or (height, width))
    mode, image = upright_image(path)
    image = _converted(image, "L" if mode in ("1", "L", "LA") else "RGB")
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
    from PIL import Image

    with reading(path, _IMAGE, _ADVICE), _large_is_no_warning(), Image.open(path, formats=FORMATS) as opened:
        size = opened.size
        opened.verify()  # checksums, which decoding leaves aside
    return size


def upright_image(path: Path) -> tuple[str, PIL.Image.Image]:
    """Return the mode of an image file, and the decoded image as its camera was held.

    Raises:
        InputError: It is broken, or has more than 8 bits per channel.
    """
    from PIL import Image, ImageOps

    with reading(path, _IMAGE, _ADVICE), _large_is_no_warning(), Image.open(path, formats=FORMATS) as opened:
        mode, image = opened.mode, opened
        image.load()
        ImageOps.exif_transpose(image, in_place=True)  # a large one is there once only
    if mode.startswith(("I", "F")):
        raise InputError(
            f"file {path}: expected 8 bits per channel, received an image of mode {mode}; convert it first."
        )
    return mode, image


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

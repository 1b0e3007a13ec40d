"""The layout of a folder of images: its parts, its class folders, and what else lies there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.name_lists import listed
from kexp.data.given_tables import PART_NAMES

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}

_DEEPEST = 4  # folders between a folder and its images, for it to be looked at as one of images
_SHOWN = 3

Labelled = tuple[Path, str]


@dataclass(frozen=True)
class ImageLayout:
    """The images of a folder.

    Attributes:
        parts: Images and the names of their classes by part.
        notes: What is not used of the folder, a sentence each.
    """

    parts: Mapping[str, Sequence[Labelled]]
    notes: tuple[str, ...]


def image_layout(folder: Path) -> ImageLayout:
    """Return the images of a folder of class folders, or of train, validation and test folders of them.

    Args:
        folder: Such a folder, or one with nothing in it but such a folder.

    Returns:
        The images, and notes on files that are not among them.

    Raises:
        InputError: A folder with images is neither a class nor a part, two are the same part, or a class
            has no image.
    """
    root = _unwrapped(folder)
    folders = part_folders(root)
    parts = {part: _labelled_files(path) for part, path in folders.items()}
    wrapped = () if root == folder else (f"image folder {folder.name}: the images are those in {root}.",)
    used = {path for labelled in parts.values() for path, _ in labelled}
    return ImageLayout(parts, (*wrapped, *_left_out(folder, used)))


def class_folders(folder: Path) -> list[Path]:
    """The folders of a folder, those that systems leave behind aside."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path.name))


def has_images(folder: Path) -> bool:
    """Whether there is at least one image in a folder inside a folder, or further down."""
    return any(_has_image(path, _DEEPEST) for path in class_folders(folder))


def _has_image(folder: Path, depth: int) -> bool:
    if any(map(_is_image, folder.iterdir())):
        return True
    return depth > 1 and any(_has_image(path, depth - 1) for path in class_folders(folder))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not _is_hidden(path.name)


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__"))


def _part(folder: Path) -> str | None:
    return PART_NAMES.get(folder.name.lower())


def _unwrapped(folder: Path) -> Path:
    """Return the folder of the classes or parts: the only one in a folder of its own, where there is such."""
    inner = class_folders(folder)
    while len(inner) == 1 and not _part(inner[0]) and not any(map(_is_image, inner[0].iterdir())):
        deeper = class_folders(inner[0])
        if not deeper:
            break
        folder, inner = inner[0], deeper
    return folder


def part_folders(folder: Path) -> dict[str, Path]:
    """Return the folders of the parts; the folder itself, as training part, if it is not so divided.

    Raises:
        InputError: Two folders are the same part, one beside them is none, or there is no training part.
    """
    inner = class_folders(folder)
    known = [path for path in inner if _part(path)]
    others = [path for path in inner if not _part(path)]
    train = next((path for path in known if _part(path) == "train"), None)
    # Among buses and cars, train is a class.
    if not (train and class_folders(train)) and (others or not known):
        return {"train": folder}
    if train is None:
        raise InputError(
            f"image folder {folder}: expected a folder train beside {_names(known)}, received none; rename "
            "the folder of the training part, or add it."
        )
    _require_parts(folder, known, others)
    return {str(_part(path)): path for path in known}


def _require_parts(folder: Path, known: list[Path], others: list[Path]) -> None:
    """Refuse two folders of one part, and a folder beside them whose images would be left out."""
    for part, count in Counter(map(_part, known)).items():
        if count > 1:
            same = _names([path for path in known if _part(path) == part])
            raise InputError(
                f"image folder {folder}: expected one folder of the {part} part, received {same}; keep one "
                "of them, or join them."
            )
    for path in others:
        count = len(list(_images_below(path)))
        if count:
            raise InputError(
                f"image folder {folder}: expected folders of parts ({', '.join(PART_NAMES)}), received "
                f"{path.name!r} with {_counted(count)} beside {_names(known)}; rename it or move it away."
            )


def _labelled_files(folder: Path) -> list[Labelled]:
    files = []
    _require_whole_links(folder)
    for path in class_folders(folder):
        images = sorted(each for each in path.iterdir() if _is_image(each))
        _require_flat(path)
        if not images:
            raise InputError(
                f"image folder {path}: expected at least one image ({', '.join(sorted(SUFFIXES))}), received "
                f"{_received(path)}; add images or remove the folder."
            )
        files += [(image, path.name) for image in images]
    if not files:
        raise InputError(
            f"image folder {folder}: expected a folder of images per class, received none; put images "
            "that have no classes into a single one."
        )
    return files


def _require_flat(folder: Path) -> None:
    """Refuse images in the folders of a class folder: they would be left out."""
    deeper = [path for path in class_folders(folder) if any(True for _ in _images_below(path))]
    if deeper:
        count = sum(1 for path in deeper for _ in _images_below(path))
        raise InputError(
            f"image folder {folder.parent}: expected the images of a class directly in its folder, received "
            f"{_counted(count)} further down, such as in {folder.name}/{deeper[0].name}; move them up, or "
            "put each beside the other classes."
        )


def _received(folder: Path) -> str:
    kinds = _kinds(path for path in folder.iterdir() if path.is_file())
    return f"files of other kinds ({kinds})" if kinds else "none"


def _require_whole_links(folder: Path) -> None:
    """Refuse a link that leads nowhere, or to itself, where it may have been the folder of a class."""
    for path in folder.iterdir():
        if path.is_symlink() and not path.exists():
            raise InputError(
                f"image folder {folder}: its link {path.name!r} leads nowhere; mend or remove it."
            )


def _left_out(folder: Path, used: set[Path]) -> Iterator[str]:
    """Yield a sentence on the files of a folder that are not used, if there are any."""
    kinds = _kinds(path for path in _below(folder) if path not in used)
    if kinds:
        yield f"image folder {folder.name}: left out are {kinds}."


def _kinds(paths: Iterator[Path]) -> str:
    """Return how many files and folders there are of each kind."""
    counts = Counter(map(_kind, paths))
    return ", ".join(f"{kind}: {count:,}" for kind, count in sorted(counts.items()))


def _kind(path: Path) -> str:
    if _is_hidden(path.name):
        return "hidden"
    if path.is_dir():
        return "empty folders"
    if _is_image(path):
        return "images outside the class folders"
    return path.suffix.lower() or "without suffix"


def _images_below(folder: Path) -> Iterator[Path]:
    return (path for path in _below(folder) if _is_image(path))


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, its empty folders, and its hidden ones without what is in them."""
    seen = {os.path.realpath(folder)}
    for place, folders, files in os.walk(folder, followlinks=True):
        path = Path(place)
        if not folders and not files:
            yield path
        yield from (path / name for name in (*files, *filter(_is_hidden, folders)))
        real = {name: os.path.realpath(path / name) for name in folders if not _is_hidden(name)}
        folders[:] = [name for name in real if real[name] not in seen]  # a link may lead back
        seen.update(real.values())


def _names(folders: Sequence[Path]) -> str:
    return listed([repr(path.name) for path in folders], _SHOWN)


def _counted(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"

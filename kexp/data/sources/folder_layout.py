"""The layout of a folder of images or sounds: its parts, its class folders, and what else lies there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.name_lists import listed
from kexp.data.given_tables import PART_NAMES

_DEEPEST = 4  # folders between a folder and its files, for it to be looked at as one of them
_SHOWN = 3

Labelled = tuple[Path, str]


@dataclass(frozen=True)
class FileKind:
    """What the files of a folder are, each a sample.

    Attributes:
        noun: For messages.
        suffixes: What their names end in, in lower case.
    """

    noun: str
    suffixes: frozenset[str]

    def matches(self, path: Path) -> bool:
        """Return whether a file is one of them, by its name."""
        return path.suffix.lower() in self.suffixes and not _is_hidden(path.name)


IMAGES = FileKind("image", frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")))
SOUNDS = FileKind("sound", frozenset((".wav", ".flac")))


@dataclass(frozen=True)
class FolderLayout:
    """The samples of a folder.

    Attributes:
        parts: Files and the names of their classes by part.
        notes: What is not used of the folder, a sentence each.
    """

    parts: Mapping[str, Sequence[Labelled]]
    notes: tuple[str, ...]


def folder_layout(folder: Path, kind: FileKind) -> FolderLayout:
    """Return the files of a folder of class folders, or of train, validation and test folders of them.

    Args:
        folder: Such a folder, or one with nothing in it but such a folder.
        kind: What the files are.

    Returns:
        The files, and notes on others that are not among them.

    Raises:
        InputError: A folder with such files is neither a class nor a part, two are the same part, or a class
            has no file.
    """
    root = _unwrapped(folder, kind)
    folders = part_folders(root, kind)
    parts = {part: _labelled_files(path, kind) for part, path in folders.items()}
    noun = kind.noun
    wrapped = () if root == folder else (f"{noun} folder {folder.name}: the {noun}s are those in {root}.",)
    used = {path for labelled in parts.values() for path, _ in labelled}
    return FolderLayout(parts, (*wrapped, *_left_out(folder, kind, used)))


def class_folders(folder: Path) -> list[Path]:
    """The folders of a folder, those that systems leave behind aside."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path.name))


def has_files(folder: Path, kind: FileKind) -> bool:
    """Whether there is at least one such file in a folder inside a folder, or further down."""
    return any(_has_file(path, kind, _DEEPEST) for path in class_folders(folder))


def _has_file(folder: Path, kind: FileKind, depth: int) -> bool:
    if any(map(kind.matches, folder.iterdir())):
        return True
    return depth > 1 and any(_has_file(path, kind, depth - 1) for path in class_folders(folder))


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__"))


def _part(folder: Path) -> str | None:
    return PART_NAMES.get(folder.name.lower())


def _unwrapped(folder: Path, kind: FileKind) -> Path:
    """Return the folder of the classes or parts: the only one in a folder of its own, where there is such."""
    inner = class_folders(folder)
    while len(inner) == 1 and not _part(inner[0]) and not any(map(kind.matches, inner[0].iterdir())):
        deeper = class_folders(inner[0])
        if not deeper:
            break
        folder, inner = inner[0], deeper
    return folder


def part_folders(folder: Path, kind: FileKind) -> dict[str, Path]:
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
            f"{kind.noun} folder {folder}: expected a folder train beside {_names(known)}, received none; "
            "rename the folder of the training part, or add it."
        )
    _require_parts(folder, kind, known, others)
    return {str(_part(path)): path for path in known}


def _require_parts(folder: Path, kind: FileKind, known: list[Path], others: list[Path]) -> None:
    """Refuse two folders of one part, and a folder beside them whose files would be left out."""
    for part, count in Counter(map(_part, known)).items():
        if count > 1:
            same = _names([path for path in known if _part(path) == part])
            raise InputError(
                f"{kind.noun} folder {folder}: expected one folder of the {part} part, received {same}; keep "
                "one of them, or join them."
            )
    for path in others:
        count = len(list(_files_below(path, kind)))
        if count:
            raise InputError(
                f"{kind.noun} folder {folder}: expected folders of parts ({', '.join(PART_NAMES)}), received "
                f"{path.name!r} with {_counted(count, kind)} beside {_names(known)}; rename it or move "
                "it away."
            )


def _labelled_files(folder: Path, kind: FileKind) -> list[Labelled]:
    files = []
    _require_whole_links(folder, kind)
    for path in class_folders(folder):
        found = sorted(each for each in path.iterdir() if kind.matches(each))
        _require_flat(path, kind)
        if not found:
            raise InputError(
                f"{kind.noun} folder {path}: expected at least one {kind.noun} "
                f"({', '.join(sorted(kind.suffixes))}), received {_received(path, kind)}; add {kind.noun}s "
                "or remove the folder."
            )
        files += [(each, path.name) for each in found]
    if not files:
        raise InputError(
            f"{kind.noun} folder {folder}: expected a folder of {kind.noun}s per class, received none; put "
            f"{kind.noun}s that have no classes into a single one."
        )
    return files


def _require_flat(folder: Path, kind: FileKind) -> None:
    """Refuse such files in the folders of a class folder: they would be left out."""
    deeper = [path for path in class_folders(folder) if any(True for _ in _files_below(path, kind))]
    if deeper:
        count = sum(1 for path in deeper for _ in _files_below(path, kind))
        raise InputError(
            f"{kind.noun} folder {folder.parent}: expected the {kind.noun}s of a class directly in its "
            f"folder, received {_counted(count, kind)} further down, such as in {folder.name}/"
            f"{deeper[0].name}; move them up, or put each beside the other classes."
        )


def _received(folder: Path, kind: FileKind) -> str:
    kinds = _kinds((path for path in folder.iterdir() if path.is_file()), kind)
    return f"files of other kinds ({kinds})" if kinds else "none"


def _require_whole_links(folder: Path, kind: FileKind) -> None:
    """Refuse a link that leads nowhere, or to itself, where it may have been the folder of a class."""
    for path in folder.iterdir():
        if path.is_symlink() and not path.exists():
            raise InputError(
                f"{kind.noun} folder {folder}: its link {path.name!r} leads nowhere; mend or remove it."
            )


def _left_out(folder: Path, kind: FileKind, used: set[Path]) -> Iterator[str]:
    """Yield a sentence on the files of a folder that are not used, if there are any."""
    kinds = _kinds((path for path in _below(folder) if path not in used), kind)
    if kinds:
        yield f"{kind.noun} folder {folder.name}: left out are {kinds}."


def _kinds(paths: Iterator[Path], kind: FileKind) -> str:
    """Return how many files and folders there are of each kind."""
    counts = Counter(_described(path, kind) for path in paths)
    return ", ".join(f"{name}: {count:,}" for name, count in sorted(counts.items()))


def _described(path: Path, kind: FileKind) -> str:
    if _is_hidden(path.name):
        return "hidden"
    if path.is_dir():
        return "empty folders"
    if kind.matches(path):
        return f"{kind.noun}s outside the class folders"
    return path.suffix.lower() or "without suffix"


def _files_below(folder: Path, kind: FileKind) -> Iterator[Path]:
    return (path for path in _below(folder) if kind.matches(path))


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


def _counted(count: int, kind: FileKind) -> str:
    return f"{count:,} {kind.noun}{'s' * (count != 1)}"

"""Boxes in YOLO's text files, one for each image: a line with a class and four shares for each box."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from kexp.core.errors import InputError, shown
from kexp.core.foreign_files import reading
from kexp.data.dataset import Source
from kexp.data.sources.annotated_images import (
    AnnotatedImage,
    Annotation,
    annotated_source,
    images_in,
    part_of,
)
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions
from kexp.data.targets.boxes import Box

_ADVICE = "write 'class x_center y_center width height', the last four as shares of the image"
_LISTS = ("classes.txt", "obj.names", "classes.names")
_YAML = ("data.yaml", "data.yml", "dataset.yaml")
_ENTRY = re.compile(r"^\s+(?:-|(\d+)\s*:)\s*(.+?)\s*$")
_QUOTED = re.compile(r"""^(?:'([^']*)'|"([^"]*)"|([^'"#]*?))\s*(?:#.*)?$""")


class YoloFolders(DataSource):
    """A folder with images and labels folders, each with folders of parts or within such."""

    name: ClassVar[str] = "yolo"
    description: ClassVar[str] = "images with boxes in YOLO's text files"
    folder_noun: ClassVar[str] = "YOLO's text files"

    def holds(self, folder: Path) -> bool:
        return any(True for _, labels in _pairs(folder) for _ in labels.glob("*.txt"))

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        names = _class_names(place.path)
        parts: dict[str, list[AnnotatedImage]] = {}
        notes = []
        for images, labels in _pairs(place.path):
            part = part_of(images.name) or part_of(images.parent.name) or "train"
            found = images_in(images)
            parts.setdefault(part, []).extend(_annotated(path, labels, names) for path in found)
            known = {path.stem for path in found}
            lost = [path.name for path in sorted(labels.glob("*.txt")) if path.stem not in known]
            lost = [name for name in lost if name not in _LISTS]
            if lost:
                notes.append(f"{len(lost):,} label files without an image are left out, such as {lost[0]}.")
        return annotated_source(place.name, parts, names, options.resizing, notes)


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Return folders of images with those of their labels: of images/train, train/images or images alone."""
    found = []
    roots = [folder, *sorted(path for path in folder.iterdir() if path.is_dir() and part_of(path.name))]
    for root in roots:
        images, labels = root / "images", root / "labels"
        if images.is_dir() and labels.is_dir():
            inner = [path for path in sorted(images.iterdir()) if path.is_dir() and part_of(path.name)]
            found += [(path, labels / path.name) for path in inner] or [(images, labels)]
    return found


def _annotated(path: Path, labels: Path, names: list[str]) -> AnnotatedImage:
    """Return an image with its boxes; without a file of labels it has none."""
    file = labels / f"{path.stem}.txt"
    if not file.is_file():
        return AnnotatedImage(path, [])
    with reading(file, "a text file of YOLO's", _ADVICE):
        lines = file.read_text(encoding="utf-8").split("\n")
    return AnnotatedImage(
        path,
        [
            _annotation(f"file {file}, line {number}", line, names)
            for number, line in enumerate(lines, start=1)
            if line.strip()
        ],
    )


def _annotation(place: str, line: str, names: list[str]) -> Annotation:
    words = line.split()
    try:
        kind, numbers = int(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        kind, numbers = -1, []
    if len(numbers) != 4:
        raise InputError(
            f"{place}: expected a class index and four numbers, received {shown(line.strip())}; {_ADVICE}."
        )
    if not 0 <= kind < (len(names) or kind + 1):
        raise InputError(
            f"{place}: expected a class index from 0 to {max(len(names) - 1, 0)}, received {kind}; correct "
            "it, or name the class."
        )
    x, y, width, height = numbers
    label = names[kind] if names else str(kind)
    box = Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, label)
    return Annotation(place, box, relative=True)


def _class_names(folder: Path) -> list[str]:
    """Return the names of the classes, as a file beside the images lists them; none where there is none."""
    for name in _YAML:
        if (folder / name).is_file():
            return _names_in_yaml(folder / name)
    for place in (folder, folder / "labels"):
        for name in _LISTS:
            if (place / name).is_file():
                with reading(place / name, "a list of class names", "write a name in each line"):
                    lines = (place / name).read_text(encoding="utf-8").split("\n")
                return [line.strip() for line in lines if line.strip()]
    return []


def _names_in_yaml(file: Path) -> list[str]:
    """Return the list below `names` in a YAML file, in one of the three forms that YOLO writes."""
    with reading(file, "a YAML file", "write names as a list"):
        lines = file.read_text(encoding="utf-8").split("\n")
    first = next((place for place, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if first is None:
        return []
    rest = lines[first].partition(":")[2].strip()
    if rest.startswith("["):
        listed = rest + " ".join(lines[first + 1 :])
        entries = listed[1 : listed.index("]")].split(",") if "]" in listed else []
        found = [_unquoted(entry) for entry in entries if entry.strip()]
    else:
        numbered: list[tuple[int, str]] = []
        for line in lines[first + 1 :]:
            entry = _ENTRY.match(
                line if line.startswith(" ") else f" {line}" if line.startswith("-") else line
            )
            if entry is None:
                if line.strip() and not line.lstrip().startswith("#"):
                    break
                continue
            numbered.append((int(entry[1]) if entry[1] else len(numbered), _unquoted(entry[2])))
        found = [name for _, name in sorted(numbered, key=lambda one: one[0])]
        if [number for number, _ in sorted(numbered, key=lambda one: one[0])] != list(range(len(numbered))):
            found = []
    if not found or not all(found) or len(set(found)) < len(found):
        raise InputError(
            f"file {file}: expected below names a list of class names, each once, or a mapping from 0 on, "
            f"received {shown(found or rest)}; write names: [first, second]."
        )
    return found


def _unquoted(text: str) -> str:
    quoted = _QUOTED.match(text.strip())
    return next((one for one in quoted.groups() if one is not None), "") if quoted else ""

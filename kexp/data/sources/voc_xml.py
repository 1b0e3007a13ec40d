"""Boxes in the XML files of Pascal VOC, one for each image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from kexp.core.errors import InputError, shown
from kexp.core.foreign_files import reading
from kexp.data.dataset import Source
from kexp.data.sources.annotated_images import (
    AnnotatedImage,
    Annotation,
    annotated_source,
    images_in,
    inside,
    part_of,
)
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions
from kexp.data.targets.boxes import Box

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_ADVICE = "write it as Pascal VOC has it"
_DECLARED = re.compile(r"<!\s*(DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)")
_LARGEST = 1 << 24  # bytes of a file
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_LISTS = {"train": "train", "val": "validation", "test": "test"}


class VocFolders(DataSource):
    """A folder with Annotations and JPEGImages, or with XML files beside the images, also in part folders."""

    name: ClassVar[str] = "voc"
    description: ClassVar[str] = "images with boxes in Pascal VOC's XML files"
    folder_noun: ClassVar[str] = "Pascal VOC's XML"

    def holds(self, folder: Path) -> bool:
        return any(True for one in _folders(folder) for _ in one.glob("*.xml"))

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        parts: dict[str, list[AnnotatedImage]] = {}
        for folder in _folders(place.path):
            own = part_of(folder.name) if folder.parent == place.path else None
            named = _named_parts(place.path, folder)
            for file in sorted(folder.glob("*.xml")):
                part = own or (named.get(file.stem) if named else "train")
                if part is not None:
                    parts.setdefault(part, []).append(_annotated(place.path, file))
        return annotated_source(place.name, parts, (), options.resizing)


def _folders(folder: Path) -> list[Path]:
    """Return the folders in which annotations may lie."""
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and part_of(path.name))
    return [one for one in (folder, folder / "Annotations", *inner) if one.is_dir()]


def _named_parts(root: Path, folder: Path) -> dict[str, str]:
    """Return the part of each image by the lists of ImageSets/Main; none where there are no such."""
    lists = root / "ImageSets" / "Main"
    if folder.name != "Annotations" or not lists.is_dir():
        return {}
    found: dict[str, str] = {}
    for name, part in _LISTS.items():
        file = lists / f"{name}.txt"
        if file.is_file():
            with reading(file, "a list of images", _ADVICE):
                lines = file.read_text(encoding="utf-8").split("\n")
            found.update({line.split()[0]: part for line in lines if line.strip()})
    return found


def _annotated(root: Path, file: Path) -> AnnotatedImage:
    tree = safe_xml(file)
    place = f"file {file}"
    name = (tree.findtext("filename") or "").strip()
    size = tree.find("size")
    declared = None
    if size is not None:
        declared = (int(_number(place, size, "height")), int(_number(place, size, "width")))
    annotations = [_annotation(f"{place}: object {number}", one) for number, one in enumerate(_objects(tree))]
    return AnnotatedImage(_image(root, file, name), annotations, declared or None, place)


def _objects(tree: Element) -> Iterator[Element]:
    yield from tree.iterfind("object")


def _annotation(place: str, one: Element) -> Annotation:
    label, corners = (one.findtext("name") or "").strip(), one.find("bndbox")
    if not label or corners is None:
        raise InputError(f"{place}: expected a name and a bndbox, received none; {_ADVICE}.")
    x_min, y_min, x_max, y_max = (_number(place, corners, corner) for corner in _CORNERS)
    hard = (one.findtext("difficult") or "0").strip() not in ("0", "")
    # VOC counts pixels from 1, the last one in the box.
    return Annotation(place, Box(x_min - 1, y_min - 1, x_max, y_max, label, crowd=hard))


def _number(place: str, parent: Element, name: str) -> float:
    text = (parent.findtext(name) or "").strip()
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"{place}: expected a number as {name}, received {shown(text)}; {_ADVICE}."
        ) from None


def _image(root: Path, file: Path, name: str) -> Path:
    """Return the image of an annotation: of the name that it gives, or its own."""
    for folder in (file.parent, root / "JPEGImages", root / "images"):
        if name and inside(folder, name, f"file {file}").is_file():
            return folder / name
        for path in images_in(folder) if not name else ():
            if path.stem == file.stem:
                return path
    raise InputError(
        f"file {file}: expected its image {shown(name or file.stem)} beside it, in JPEGImages or in images, "
        "received none there; put it there, or remove the file."
    )


def safe_xml(file: Path) -> Element:
    """Return the root of an XML file, which may declare nothing: entities can be made to fill the memory.

    Raises:
        InputError: It is no XML, is not UTF-8, too large, or declares types or entities.
    """
    from xml.etree import ElementTree

    with reading(file, "an XML file of Pascal VOC's", _ADVICE):
        size = file.stat().st_size
        text = file.read_bytes().decode("utf-8-sig") if size <= _LARGEST else ""
    declared = _DECLARED.search(text)
    if size > _LARGEST or declared:
        received = f"<!{declared[1]}" if declared else f"{size:,} bytes"
        raise InputError(
            f"file {file}: expected annotations alone, without declarations and of at most {_LARGEST:,} "
            f"bytes, received {received}; {_ADVICE}."
        )
    with reading(file, "an XML file of Pascal VOC's", _ADVICE):
        return ElementTree.fromstring(text)

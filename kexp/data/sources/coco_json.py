"""Boxes in the JSON files of COCO."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from kexp.core.errors import InputError, shown
from kexp.core.foreign_files import reading
from kexp.data.dataset import Source
from kexp.data.sources.annotated_images import AnnotatedImage, Annotation, annotated_source, inside, part_of
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions
from kexp.data.targets.boxes import Box

_ADVICE = "write it as COCO has it"
_TOLD_BY = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
_LOOKED_AT = 1 << 20  # bytes of a file, for it to be known
_LISTS = {
    "images": {"id": int, "file_name": str},
    "annotations": {"image_id": int, "category_id": int, "bbox": list},
    "categories": {"id": int, "name": str},
}


class CocoFolders(DataSource):
    """A folder with COCO's JSON files, in it, in `annotations`, or in train, valid and test folders."""

    name: ClassVar[str] = "coco"
    description: ClassVar[str] = "images with boxes in COCO's JSON files"
    folder_noun: ClassVar[str] = "images with boxes in COCO's JSON"

    def holds(self, folder: Path) -> bool:
        return bool(_files(folder))

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        files = _files(place.path)
        parts: dict[str, list[AnnotatedImage]] = {}
        names: list[str] = []
        for file, part in _parts(place.path, files).items():
            if part in parts:
                raise InputError(
                    f"data {place.name!r}: expected one JSON file of the {part} part, received another, "
                    f"{file.name}; move one of them away."
                )
            parts[part], known = _annotated(place.path, file)
            names += [name for name in known if name not in names]
        return annotated_source(place.name, parts, names, options.resizing)


def _files(folder: Path) -> list[Path]:
    """Return the JSON files of a folder that are COCO's."""
    inner = [path for path in folder.iterdir() if path.is_dir() and part_of(path.name)]
    places = [folder, folder / "annotations", *sorted(inner)]
    found = [path for place in places if place.is_dir() for path in sorted(place.glob("*.json"))]
    return [path for path in found if path.is_file() and _is_coco(path)]


def _is_coco(path: Path) -> bool:
    with path.open("rb") as file:
        return _TOLD_BY.search(file.read(_LOOKED_AT)) is not None


def _parts(folder: Path, files: list[Path]) -> dict[Path, str]:
    """Return the part that each file is of, by its name or that of its folder."""
    if len(files) == 1:
        return {files[0]: "train"}
    found = {}
    for file in files:
        part = part_of(file.stem) or (part_of(file.parent.name) if file.parent != folder else None)
        if part is None:
            raise InputError(
                f"file {file}: expected train, val or test in the name of one of several JSON files, "
                "received none of them; rename it, or move it away."
            )
        found[file] = part
    return found


def _annotated(folder: Path, file: Path) -> tuple[list[AnnotatedImage], list[str]]:
    """Return the images of a file with their boxes, and the names of its classes."""
    content = _content(file)
    classes = {one["id"]: one["name"] for one in content["categories"]}
    twice = [name for name, count in Counter(classes.values()).items() if count > 1]
    if twice or len(classes) < len(content["categories"]):
        raise InputError(
            f"file {file}: expected categories with an id and a name of their own, received {shown(twice)} "
            f"twice; {_ADVICE}."
        )
    images: dict[int, AnnotatedImage] = {}
    root = _image_folder(folder, file, content["images"])
    for number, one in enumerate(content["images"]):
        place = f"file {file}: images[{number}]"
        size = (one["height"], one["width"]) if "height" in one and "width" in one else None
        images[one["id"]] = AnnotatedImage(inside(root, one["file_name"], place), [], size, place)
    for number, one in enumerate(content["annotations"]):
        place = f"file {file}: annotation {one.get('id', number)}"
        for key, known in (("image_id", images), ("category_id", classes)):
            if one[key] not in known:
                raise InputError(
                    f"{place}: expected an {key} that the file has, received {one[key]}; remove it, or add "
                    "what it is of."
                )
        annotations: Any = images[one["image_id"]].annotations
        annotations.append(Annotation(place, _box(place, one, classes[one["category_id"]])))
    return list(images.values()), list(classes.values())


def _box(place: str, one: dict[str, Any], label: str) -> Box:
    numbers = [n for n in one["bbox"] if isinstance(n, int | float) and not isinstance(n, bool)]
    if len(numbers) != 4 or len(one["bbox"]) != 4:
        raise InputError(
            f"{place}: expected a bbox of x, y, width and height, received {shown(one['bbox'])}; {_ADVICE}."
        )
    x, y, width, height = map(float, numbers)
    return Box(x, y, x + width, y + height, label, crowd=bool(one.get("iscrowd", 0)))


def _content(file: Path) -> dict[str, list[dict[str, Any]]]:
    with reading(file, "a JSON file of COCO's", _ADVICE):
        content = json.loads(file.read_text(encoding="utf-8"))
    for name, keys in _LISTS.items():
        entries = content.get(name) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise InputError(f"file {file}: expected a list {name!r}, received none; {_ADVICE}.")
        for number, one in enumerate(entries):
            for key, kind in keys.items():
                value = one.get(key) if isinstance(one, dict) else None
                if not isinstance(value, kind) or isinstance(value, bool):
                    raise InputError(
                        f"file {file}: expected {key!r} in {name}[{number}] to be of type {kind.__name__}, "
                        f"received {shown(value)}; {_ADVICE}."
                    )
    return content


def _image_folder(folder: Path, file: Path, images: list[dict[str, Any]]) -> Path:
    """Return the folder that the names of images are of: where the first one is found."""
    part = file.stem.rpartition("_")[2]
    places = [file.parent, folder / part, folder / "images" / part, folder / "images", folder]
    if not images:
        return folder
    first = images[0]["file_name"]
    for place in places:
        if inside(place, first, f"file {file}: images[0]").is_file():
            return place
    raise InputError(
        f"file {file}: expected image {first!r} beside it, in {part!r}, 'images' or 'images/{part}' of "
        f"{folder}, received none there; put the images there."
    )

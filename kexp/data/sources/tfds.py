"""tensorflow-datasets as a source: what is prepared is read, and `prepare` alone downloads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kexp.core.errors import InputError, nearest, shown
from kexp.core.foreign_files import guarded, require_regular_file
from kexp.core.json_files import read_json_file
from kexp.core.memory_budget import Meter
from kexp.core.user_paths import output_folder, user_path
from kexp.data.dataset import Source
from kexp.data.sources.arrays import PARTS
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions, data_dir
from kexp.data.sources.folder_layout import class_folders
from kexp.data.sources.image_files import require_pixels
from kexp.data.sources.image_resizing import Resizing, Size, resize, resizing_notes
from kexp.data.sources.tf_data import decode

CONNECT_TIMEOUT_S = 10
_PREPARED = "data prepared by tensorflow-datasets"
_AGAIN = "prepare it again"
TFDS_NAME = re.compile(r"(?P<name>\w+)(/(?P<config>[\w.-]+))?(:(?P<version>\d+\.\d+\.\d+))?$")
VERSION = re.compile(r"\d+\.\d+\.\d+$")


class PreparedDataset(DataSource):
    """What tensorflow-datasets has prepared, by its name or in a folder."""

    name: ClassVar[str] = "tfds"
    description: ClassVar[str] = "prepared by tensorflow-datasets"
    folder_noun: ClassVar[str] = _PREPARED

    def holds(self, folder: Path) -> bool:
        return prepared_folder(folder) is not None

    def find(self, name: str) -> Path | None:
        match = TFDS_NAME.match(name)
        for folder in (data_dir(), tfds_dir()) if match else ():
            assert match
            if folder and (
                path := prepared_folder(folder / match["name"], match["config"], match["version"])
            ):
                return path
        return None

    def read(self, place: DataLocation, options: ReadOptions) -> Source:
        return read_tfds(place.path, place.name, options.resizing)


def read_tfds(folder: Path, name: str, resizing: Resizing | None) -> Source:
    """Read a prepared data set: its (x, y) pairs, or its features image or text, and label.

    Args:
        folder: Folder that holds a version of it, or the versions.
        name: Name of the data.
        resizing: Of images, to one size; None to take them as they are.

    Returns:
        The splits train, and validation and test where there are some; class names where TFDS has them.

    Raises:
        InputError: When it has no train split, no such pair, or images of several sizes.
    """
    path = prepared_folder(folder)
    assert path is not None, folder  # it holds one
    for file in sorted(path.iterdir()):
        if not file.is_dir():
            require_regular_file(file, _PREPARED, _AGAIN)
    _require_own_features(path / "features.json")
    prepared = _opened(path)
    if "train" not in prepared.splits:
        raise InputError(f"data {name!r}: expected a train split, it has {', '.join(prepared.splits)}.")
    x, y = _keys(name, prepared)
    parts = {}
    sizes: list[Size] = []
    resizing = resizing if x in prepared.images else None
    for part in PARTS:
        if part in prepared.splits:
            examples = [(example[x], example[y]) for example in _examples(path, prepared.builder, part)]
            sizes += [image.shape[:2] for image, _ in examples] if resizing else []
            parts[part] = _stack(name, part, examples, resizing)
    notes = resizing_notes(sizes, resizing) if resizing else ()
    return Source(name, parts, class_names=prepared.class_names.get(y, ()), notes=notes)


@dataclass(frozen=True)
class _Prepared:
    """What tensorflow-datasets says of a folder."""

    builder: Any
    splits: list[str]
    features: list[str]
    images: list[str]
    class_names: dict[str, tuple[str, ...]]
    supervised_keys: list[str]


def _opened(path: Path) -> _Prepared:
    with guarded(f"folder {path}", _PREPARED, _AGAIN):
        import tensorflow_datasets as tfds

        builder = tfds.builder_from_directory(path)
        features = dict(builder.info.features.items())
        labels = {name: one for name, one in features.items() if isinstance(one, tfds.features.ClassLabel)}
        return _Prepared(
            builder=builder,
            splits=list(builder.info.splits),
            features=sorted(features),
            images=[name for name, one in features.items() if isinstance(one, tfds.features.Image)],
            class_names={name: tuple(one.names or ()) for name, one in labels.items()},
            supervised_keys=list(builder.info.supervised_keys or ())[:2],
        )


def _examples(path: Path, builder: Any, part: str) -> Iterator[Any]:
    import tensorflow_datasets as tfds

    meter = Meter(f"folder {path}")
    with guarded(f"folder {path}", _PREPARED, _AGAIN):
        examples = iter(tfds.as_numpy(builder.as_dataset(split=part, shuffle_files=False)))
    while True:
        with guarded(f"folder {path}", _PREPARED, _AGAIN):
            example = next(examples, None)
        if example is None:
            return
        meter.add(sum(len(one) if isinstance(one, bytes) else np.size(one) for one in example.values()))
        yield example


def _require_own_features(path: Path) -> None:
    """Refuse types of features that are not tensorflow-datasets' own: it would import what they name."""
    left: list[Any] = [read_json_file(path, {}, advice=_AGAIN)]
    while left:
        content = left.pop()
        named = content if isinstance(content, dict) else {}
        left += [one for one in named.values() or content if isinstance(one, dict | list)]
        for key in ("pythonClassName", "python_class_name", *(["type"] if "content" in named else [])):
            if key in named and not str(named[key]).startswith("tensorflow_datasets."):
                raise InputError(
                    f"file {path}: expected features of tensorflow-datasets, received {shown(named[key])}, "
                    "which would be imported; read it with tfds.load and pass arrays instead."
                )


def _keys(name: str, prepared: _Prepared) -> tuple[str, str]:
    """Names of the features to learn from and to predict."""
    supervised = prepared.supervised_keys
    if len(supervised) == 2 and set(supervised) <= set(prepared.features):
        return supervised[0], supervised[1]
    for inputs in ("image", "text"):
        if {inputs, "label"} <= set(prepared.features):
            return inputs, "label"
    raise InputError(
        f"data {name!r}: expected supervised pairs or the features image (or text) and label, it has "
        f"{', '.join(prepared.features)}; read it with tfds.load and pass arrays instead."
    )


def _stack(
    name: str, part: str, examples: list[tuple[Any, Any]], resizing: Resizing | None
) -> tuple[np.ndarray, np.ndarray]:
    inputs, targets = [x for x, _ in examples], [y for _, y in examples]
    place = f"data {name!r}: the {part} part"
    if resizing and inputs:
        count = len(inputs)
        require_pixels(f"image_size={resizing.size} of {count} images", count, resizing.size)
        inputs = list(resize(inputs, resizing.size, resizing.way))
    shapes = sorted({np.shape(x) for x in inputs})
    if len(shapes) > 1:
        raise InputError(
            f"data {name!r}: {part} samples have several shapes, such as {shapes[0]} and {shapes[-1]}; pass "
            f"image_size=(height, width) if they are images, or pad them and pass arrays instead."
        )
    if inputs and isinstance(inputs[0], bytes):  # text: as an array, each would take the room of the longest
        return decode(place, np.array(inputs, dtype=object)), decode(place, np.asarray(targets))
    return np.asarray(inputs), decode(place, np.asarray(targets))


def tfds_dir() -> Path:
    """Where tensorflow-datasets keeps what it prepares."""
    given = os.environ.get("TFDS_DATA_DIR")
    return user_path("TFDS_DATA_DIR", given) if given else Path(os.path.expanduser("~/tensorflow_datasets"))


def prepared_folder(folder: Path, config: str | None = None, version: str | None = None) -> Path | None:
    """The folder of the newest version of a data set that tensorflow-datasets has prepared, if any.

    Args:
        folder: NAME, NAME/CONFIG or NAME/CONFIG/VERSION in a TFDS folder.
        config: Configuration; None where there is one only.
        version: Version such as "3.0.1"; None for the newest.

    Raises:
        InputError: When there are several configurations to choose from.
    """
    if config:
        folder = folder / config
    if not folder.is_dir():
        return None
    if _is_prepared(folder):
        return folder
    versions = [path for path in class_folders(folder) if VERSION.match(path.name) and _is_prepared(path)]
    wanted = [path for path in versions if version in (None, path.name)]
    if wanted:
        return max(wanted, key=lambda path: tuple(map(int, path.name.split("."))))
    if config or versions:
        return None
    inner = {path.name: found for path in class_folders(folder) if (found := _version_of(path, version))}
    if len(inner) > 1:
        raise InputError(
            f"data {folder.name!r}: prepared in several configurations ({', '.join(inner)}); pass "
            f"'{folder.name}/{next(iter(inner))}' or another of them."
        )
    return next(iter(inner.values()), None)


def _version_of(folder: Path, version: str | None) -> Path | None:
    return prepared_folder(folder.parent, folder.name, version) if not _is_prepared(folder) else None


def _is_prepared(folder: Path) -> bool:
    return (folder / "dataset_info.json").is_file() and (folder / "features.json").is_file()


def prepare(name: str, data_dir: str | Path | None = None) -> Path:
    """Download a data set of tensorflow-datasets, so that `load` knows its name.

    Without a network it says so within seconds: the hosts of the files are tried first, where
    tensorflow-datasets alone would retry for minutes.

    Args:
        name: Name in the catalogue of tensorflow-datasets, such as "cifar10" or "cifar10_1/v4".
        data_dir: Folder to keep it in; default TFDS_DATA_DIR, or ~/tensorflow_datasets.

    Returns:
        The folder it is in, which is printed too.

    Raises:
        InputError: For an unknown name, without a network, or when files must be fetched by hand.
    """
    match = TFDS_NAME.match(name)
    if match is None:
        raise InputError(f"name={name!r}: expected a tensorflow-datasets name such as 'mnist'; correct it.")
    folder = output_folder("data_dir", data_dir) if data_dir is not None else tfds_dir()
    path = prepared_folder(folder / match["name"], match["config"], match["version"])
    path = path or _download(name, folder)
    print(f"{name} is in {path}")
    return path


def _download(name: str, folder: Path) -> Path:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=folder)
    except tfds.core.DatasetNotFoundError:
        known = nearest(name.partition("/")[0], tfds.list_builders(with_community_datasets=False))
        raise InputError(
            f"name={name!r}: tensorflow-datasets has no such data set{known}; see "
            f"https://www.tensorflow.org/datasets/catalog."
        ) from None
    except ValueError as error:  # an unknown configuration or version
        said, _, _ = str(error).partition("\n")
        raise InputError(f"name={name!r}: {said}") from None
    _require_network(name, sorted(builder.url_infos))
    try:
        builder.download_and_prepare()
    except (AssertionError, ImportError, OSError) as error:
        said, _, _ = str(error).strip().partition("\n")
        raise InputError(
            f"name={name!r}: tensorflow-datasets could not prepare it in {folder} "
            f"({said}); put that right and call prepare again."
        ) from error
    return Path(builder.data_dir)


def _require_network(name: str, urls: list[str]) -> None:
    """Try each host once, through the proxies that the download would use; any answer will do."""
    import requests

    for host, url in {url.split("/")[2]: url for url in urls if url.startswith("http")}.items():
        try:
            requests.head(url, timeout=CONNECT_TIMEOUT_S)
        except requests.RequestException as error:
            raise InputError(
                f"name={name!r}: no connection to {host} ({type(error).__name__}), expected a network to "
                f"download from; connect, or copy a prepared folder to {tfds_dir()} or KEXP_DATA_DIR."
            ) from None

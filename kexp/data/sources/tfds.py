"""tensorflow-datasets as a source: what is prepared is read, and `prepare` alone downloads."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kexp.core.errors import InputError, nearest
from kexp.data.dataset import Source
from kexp.data.sources.arrays import PARTS
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions, Size, data_dir
from kexp.data.sources.image_folder import class_folders, resize
from kexp.data.sources.tf_data import decode

CONNECT_TIMEOUT_S = 10
TFDS_NAME = re.compile(r"(?P<name>\w+)(/(?P<config>[\w.-]+))?(:(?P<version>\d+\.\d+\.\d+))?$")
VERSION = re.compile(r"\d+\.\d+\.\d+$")


class PreparedDataset(DataSource):
    """What tensorflow-datasets has prepared, by its name or in a folder."""

    name: ClassVar[str] = "tfds"
    description: ClassVar[str] = "prepared by tensorflow-datasets"
    folder_noun: ClassVar[str] = "data prepared by tensorflow-datasets"

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
        return read_tfds(place.path, place.name, options.image_size)


def read_tfds(folder: Path, name: str, image_size: Size | None) -> Source:
    """Read a prepared data set: its (x, y) pairs, or its features image or text, and label.

    Args:
        folder: Folder that holds a version of it, or the versions.
        name: Name of the data.
        image_size: (height, width) in pixels to resize images to; None to take them as they are.

    Returns:
        The splits train, and validation and test where there are some; class names where TFDS has them.

    Raises:
        InputError: When it has no train split, no such pair, or images of several sizes.
    """
    import tensorflow_datasets as tfds

    path = prepared_folder(folder)
    assert path is not None, folder  # it holds one
    builder = tfds.builder_from_directory(path)
    if "train" not in builder.info.splits:
        raise InputError(f"data {name!r}: expected a train split, it has {', '.join(builder.info.splits)}.")
    x, y = _keys(name, builder.info)
    is_image = isinstance(builder.info.features[x], tfds.features.Image)
    parts = {}
    for part in PARTS:
        if part in builder.info.splits:
            dataset = builder.as_dataset(split=part, shuffle_files=False)
            examples = [(example[x], example[y]) for example in tfds.as_numpy(dataset)]
            parts[part] = _stack(name, part, examples, image_size if is_image else None)
    labels = builder.info.features[y]
    class_names = tuple(labels.names) if isinstance(labels, tfds.features.ClassLabel) else ()
    return Source(name, parts, class_names=class_names)


def _keys(name: str, info: Any) -> tuple[str, str]:
    """Names of the features to learn from and to predict."""
    if info.supervised_keys and all(key in info.features for key in info.supervised_keys[:2]):
        return info.supervised_keys[0], info.supervised_keys[1]
    for inputs in ("image", "text"):
        if {inputs, "label"} <= set(info.features):
            return inputs, "label"
    raise InputError(
        f"data {name!r}: expected supervised pairs or the features image (or text) and label, it has "
        f"{', '.join(sorted(info.features))}; read it with tfds.load and pass arrays instead."
    )


def _stack(
    name: str, part: str, examples: list[tuple[Any, Any]], image_size: Size | None
) -> tuple[np.ndarray, np.ndarray]:
    inputs, targets = [x for x, _ in examples], [y for _, y in examples]
    if image_size and inputs:
        inputs = list(resize(inputs, image_size))
    shapes = sorted({np.shape(x) for x in inputs})
    if len(shapes) > 1:
        raise InputError(
            f"data {name!r}: {part} samples have several shapes, such as {shapes[0]} and {shapes[-1]}; pass "
            f"image_size=(height, width) if they are images, or pad them and pass arrays instead."
        )
    if inputs and isinstance(inputs[0], bytes):  # text: as an array, each would take the room of the longest
        return decode(np.array(inputs, dtype=object)), decode(np.asarray(targets))
    return np.asarray(inputs), decode(np.asarray(targets))


def tfds_dir() -> Path:
    """Where tensorflow-datasets keeps what it prepares."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


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
    folder = Path(data_dir).expanduser() if data_dir else tfds_dir()
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
        raise InputError(f"name={name!r}: {str(error).splitlines()[0]}") from None
    _require_network(name, sorted(builder.url_infos))
    try:
        builder.download_and_prepare()
    except (AssertionError, ImportError, OSError) as error:
        raise InputError(
            f"name={name!r}: tensorflow-datasets could not prepare it in {folder} "
            f"({str(error).strip().splitlines()[0]}); put that right and call prepare again."
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

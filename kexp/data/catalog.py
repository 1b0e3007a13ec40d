"""What data there is and where: names, paths and prepared folders, told apart without reading them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kexp.core.errors import InputError, nearest
from kexp.data.sources.array_files import idx_files
from kexp.data.sources.builtin_datasets import BUILTIN_DATASETS
from kexp.data.sources.images import class_folders, has_images

Form = Literal["embedded", "npz", "idx", "images", "csv", "parquet", "txt", "tfds"]

NAME = re.compile(r"[A-Za-z0-9][\w.-]*$")
TFDS_NAME = re.compile(r"(?P<name>\w+)(/(?P<config>[\w.-]+))?(:(?P<version>\d+\.\d+\.\d+))?$")
VERSION = re.compile(r"\d+\.\d+\.\d+$")
FILE_FORMS: dict[str, Form] = {
    ".npz": "npz",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".parquet": "parquet",
    ".txt": "txt",
    ".txt.gz": "txt",
}
DESCRIPTIONS = {
    "npz": "arrays in an .npz file",
    "idx": "images in IDX files",
    "images": "images in class folders",
    "csv": "table in a CSV file",
    "parquet": "table in a Parquet file",
    "txt": "one long text, for kexp.data.passages",
    "tfds": "prepared by tensorflow-datasets",
}


@dataclass(frozen=True)
class DataLocation:
    """Where a data set is, and in which form."""

    name: str
    form: Form
    path: Path


def locate(source: str | Path) -> DataLocation:
    """Find a data set: a name in KEXP_DATA_DIR, an embedded name, a path, or a TFDS name that is prepared.

    A table in KEXP_DATA_DIR gives way to an embedded name: it would need arguments that the name does not.

    Args:
        source: Name or path; a Path is never taken for a name.

    Raises:
        InputError: When there is none, naming the nearest names.
    """
    if isinstance(source, str) and NAME.match(source):
        if place := _in_data_dir(source):
            return place
        if source in BUILTIN_DATASETS:
            return DataLocation(source, "embedded", Path())
        if place := _table_in_data_dir(source):
            return place
    for path in _paths(source):
        if path.exists():
            return _at(path)
    if isinstance(source, str) and (place := _prepared(source)):
        return place
    raise InputError(_not_found(str(source)))


def check_source(source: object) -> None:
    """Refuse a data set name or path that cannot be loaded, before anything heavy is imported.

    Args:
        source: What `load` takes; anything but a name or a path is left to `load`.

    Raises:
        InputError: When the name is unknown or the path absent or of no known form.

    Example:
        >>> check_source("digits")
        >>> check_source("digist")
        Traceback (most recent call last):
            ...
        kexp.InputError: data='digist': there is no such data set or path (did you mean 'digits'?)...
    """
    if isinstance(source, str | Path):
        locate(source)


def names() -> dict[str, str]:
    """Names that `load` knows, embedded or in KEXP_DATA_DIR, with a line about each.

    Returns:
        Description by name, in alphabetical order.

    Example:
        >>> names()["digits"]
        'images: 1,797 handwritten digits, 8x8x1, 10 classes (scikit-learn)'
    """
    found = dict(BUILTIN_DATASETS)
    folder = data_dir()
    for path in folder.iterdir() if folder and folder.is_dir() else ():
        name = _without_suffix(path.name)
        if NAME.match(name) and (form := _listed(name)):
            found[name] = f"{DESCRIPTIONS[form]}: {path}"
    return dict(sorted(found.items()))


def _listed(name: str) -> Form | None:
    try:
        place = _in_data_dir(name)
    except InputError:  # several configurations to choose from, which loading it will say
        return "tfds"
    if place is None and name not in BUILTIN_DATASETS:
        place = _table_in_data_dir(name)
    return place.form if place else None


def _without_suffix(name: str) -> str:
    return next((name.removesuffix(suffix) for suffix in FILE_FORMS if name.endswith(suffix)), name)


def data_dir() -> Path | None:
    """The folder that the environment variable KEXP_DATA_DIR names, if it is set."""
    value = os.environ.get("KEXP_DATA_DIR")
    return Path(value).expanduser() if value else None


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


def _paths(source: str | Path) -> list[Path]:
    """Paths that a source may mean; a bare name such as sunspots.csv may be in KEXP_DATA_DIR too."""
    folder = data_dir()
    bare = isinstance(source, str) and NAME.match(source)
    here = [Path(source).expanduser()] if str(source).strip() else []
    return here + ([folder / source] if folder and bare else [])


def _in_data_dir(name: str) -> DataLocation | None:
    folder = data_dir()
    if folder is None:
        return None
    if (file := folder / f"{name}.npz").is_file():
        return DataLocation(name, "npz", file)
    form = _folder_form(folder / name)
    return DataLocation(name, form, folder / name) if form else None


def _table_in_data_dir(name: str) -> DataLocation | None:
    folder = data_dir()
    for suffix, form in FILE_FORMS.items() if folder else ():
        assert folder
        if form != "npz" and (file := folder / f"{name}{suffix}").is_file():
            return DataLocation(name, form, file)
    return None


def _prepared(source: str) -> DataLocation | None:
    match = TFDS_NAME.match(source)
    folders = [folder for folder in (data_dir(), tfds_dir()) if folder]
    for folder in folders if match else ():
        assert match
        if path := prepared_folder(folder / match["name"], match["config"], match["version"]):
            return DataLocation(source, "tfds", path)
    return None


def _folder_form(folder: Path) -> Form | None:
    if not folder.is_dir():
        return None
    if idx_files(folder):
        return "idx"
    if prepared_folder(folder):
        return "tfds"
    return "images" if has_images(folder) else None


def _at(path: Path) -> DataLocation:
    if path.is_dir():
        form, name = _folder_form(path), path.resolve().name
        expected = "class folders with images in them, IDX files, or data prepared by tensorflow-datasets"
    else:
        suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
        form, name = FILE_FORMS.get(suffix.lower()), path.name[: len(path.name) - len(suffix)]
        expected = f"a folder, or a file that ends in {', '.join(FILE_FORMS)}"
    if form is None:
        received = "a folder with none of them" if path.is_dir() else repr(path.name)
        raise InputError(f"data={str(path)!r}: expected {expected}, received {received}; convert it to one.")
    return DataLocation(name, form, path)


def _not_found(source: str) -> str:
    folder = data_dir()
    unset = "set KEXP_DATA_DIR to the folder it is in"
    if folder:
        unset = f"KEXP_DATA_DIR is {folder}" + ("" if folder.is_dir() else ", which is not a folder")
    known = ", ".join(names())
    return (
        f"data={source!r}: there is no such data set or path{nearest(source, names())}; give a path, or one "
        f"of {known} ({unset}), or download a tensorflow-datasets name with kexp.data.prepare first."
    )

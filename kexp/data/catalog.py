"""What data there is and where: names, paths and prepared folders, told apart without reading them."""

from __future__ import annotations

import re
from pathlib import Path

from kexp.core.errors import InputError, nearest, shown
from kexp.core.user_paths import user_path
from kexp.data.given_tables import given_tables, is_frame
from kexp.data.sources import DataLocation, DataSource, data_sources
from kexp.data.sources.base import data_dir

NAME = re.compile(r"[A-Za-z0-9][\w.-]*$")
_LONGEST = 200  # bytes of a name, which with the end of a file's name can be one


def locate(source: str | Path) -> DataLocation:
    """Find a data set: a name in KEXP_DATA_DIR, an embedded name, a path, or a TFDS name that is prepared.

    A table in KEXP_DATA_DIR gives way to an embedded name: it would need arguments that the name does not.

    Args:
        source: Name or path; a Path is never taken for a name.

    Raises:
        InputError: When there is none, naming the nearest names.
    """
    try:
        place = _located(source)
    except OSError as error:
        raise InputError(
            f"data={str(source)!r}: cannot be looked for, as {error.filename} cannot be read "
            f"({error.strerror}); allow it, or give other data."
        ) from None
    if place is None:
        raise InputError(_not_found(str(source)))
    return place


def _located(source: str | Path) -> DataLocation | None:
    if _is_name(source):
        if place := _in_data_dir(str(source)):
            return place
        if form := _built_in().get(str(source)):
            return DataLocation(str(source), form, Path())
        if place := _file_in_data_dir(str(source), gives_way=True):
            return place
    for path in _paths(source):
        if path.exists():
            return _at(path)
    for one in data_sources().values() if isinstance(source, str) else ():
        if found := one.find(str(source)):
            return DataLocation(str(source), one.name, found)
    return None


def _is_name(source: str | Path) -> bool:
    """Return whether a source may be a name, which a file's is made of."""
    return isinstance(source, str) and NAME.match(source) is not None and len(source.encode()) <= _LONGEST


def check_source(source: object) -> None:
    """Refuse a data set name or path that cannot be loaded, before anything heavy is imported.

    Args:
        source: What `load` takes; anything but a name, a path, or tables by part is left to `load`.

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
    for part, table in (given_tables(source) or {}).items():
        locate_table(part, table)


def locate_table(part: str, table: object) -> DataLocation | None:
    """Find the table of a part where it is a file; None for one in memory.

    Args:
        part: Such as "test", for messages.
        table: A DataFrame, or the name or path of a CSV or Parquet file.

    Raises:
        InputError: It is something else, or there is no such file.
    """
    place = locate(table) if isinstance(table, str | Path) else None
    if place is None and is_frame(table):
        return None
    if place is None or not data_sources()[place.form].has_columns or place.path.is_dir():
        raise InputError(
            f"data: expected a DataFrame, or a CSV or Parquet file, as the {part} table, received "
            f"{shown(table)}; give one."
        )
    return place


def names() -> dict[str, str]:
    """Names that `load` knows, embedded or in KEXP_DATA_DIR, with a line about each.

    Returns:
        Description by name, in alphabetical order.

    Example:
        >>> names()["digits"]
        'images: 1,797 handwritten digits, 8x8x1, 10 classes (scikit-learn)'
    """
    found = {name: line for one in data_sources().values() for name, line in one.names().items()}
    for path in _paths_in_data_dir():
        name = _without_suffix(path.name)
        if _is_name(name) and (form := _listed(name)):
            found[name] = f"{data_sources()[form].description}: {path}"
    return dict(sorted(found.items()))


def _paths_in_data_dir() -> list[Path]:
    folder = data_dir()
    try:
        return list(folder.iterdir()) if folder and folder.is_dir() else []
    except OSError as error:
        raise InputError(
            f"KEXP_DATA_DIR is {folder}, which cannot be read ({error.strerror}); allow it, or set another."
        ) from None


def _built_in() -> dict[str, str]:
    """Return the sources of the names that are always known."""
    return {name: one.name for one in data_sources().values() for name in one.names()}


def _files() -> dict[str, DataSource]:
    """Return the sources that read files, by what the names of these end in."""
    return {suffix: one for one in data_sources().values() for suffix in one.suffixes}


def _listed(name: str) -> str | None:
    try:
        place = _in_data_dir(name, ambiguous=True)
        if place is None and name not in _built_in():
            place = _file_in_data_dir(name, gives_way=True)
    except OSError:  # a folder that cannot be looked into
        return None
    return place.form if place else None


def _without_suffix(name: str) -> str:
    return next((name.removesuffix(suffix) for suffix in _files() if name.endswith(suffix)), name)


def _paths(source: str | Path) -> list[Path]:
    """Paths that a source may mean; a bare name such as sunspots.csv may be in KEXP_DATA_DIR too."""
    folder = data_dir()
    here = user_path("data", source)
    return [here, folder / source] if folder and _is_name(source) else [here]


def _in_data_dir(name: str, *, ambiguous: bool = False) -> DataLocation | None:
    folder = data_dir()
    if folder is None:
        return None
    if place := _file_in_data_dir(name, gives_way=False):
        return place
    form = _folder_form(folder / name, ambiguous=ambiguous)
    return DataLocation(name, form, folder / name) if form else None


def _file_in_data_dir(name: str, *, gives_way: bool) -> DataLocation | None:
    folder = data_dir()
    for suffix, one in _files().items() if folder else ():
        assert folder
        if one.gives_way == gives_way and (file := folder / f"{name}{suffix}").is_file():
            return DataLocation(name, one.name, file)
    return None


def _folder_form(folder: Path, *, ambiguous: bool = False) -> str | None:
    """Return the form of a folder; one that has to be chosen from is an error unless it may be ambiguous."""
    if not folder.is_dir():
        return None
    for one in sorted(data_sources().values(), key=lambda one: one.asked_last):
        try:
            if one.holds(folder):
                return one.name
        except InputError:
            if ambiguous:
                return one.name
            raise
    return None


def _at(path: Path) -> DataLocation:
    form: str | None
    if path.is_dir():
        form, name = _folder_form(path), path.resolve().name
        expected = _expected_folders()
    else:
        suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
        one = _files().get(suffix.lower())
        form, name = one.name if one else None, path.name[: len(path.name) - len(suffix)]
        expected = f"a folder, or a file that ends in {', '.join(_files())}"
    if form is None:
        received = "a folder with none of them" if path.is_dir() else repr(path.name)
        raise InputError(f"data={str(path)!r}: expected {expected}, received {received}; convert it to one.")
    return DataLocation(name, form, path)


def _expected_folders() -> str:
    folders = [one for one in data_sources().values() if one.folder_noun]
    *others, last = [one.folder_noun for one in sorted(folders, key=lambda one: not one.asked_last)]
    return f"{', '.join(others)}, or {last}"


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

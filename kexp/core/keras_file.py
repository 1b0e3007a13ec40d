"""Models in .keras files, read without trust: nothing in one is unpickled, run, or taken from elsewhere."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexp.core.errors import InputError
from kexp.core.foreign_files import guarded, reading
from kexp.core.hdf5_file import require_own_content
from kexp.core.json_files import parse_json
from kexp.core.zip_archives import open_zip, read_zip_member

if TYPE_CHECKING:
    import keras

_WHAT = "a saved Keras model"
_CONFIG = "config.json"
_METADATA = "metadata.json"
_WEIGHTS = ".h5"


def read_keras_file(path: Path, advice: str, *, checked: bool = False) -> keras.Model:
    """Return the model in a .keras file; nothing in it is unpickled or run.

    Keras finds layers of kexp's own if `kexp.models` was imported.

    Args:
        path: The file.
        advice: What to do about a damaged one.
        checked: Its checksum was compared already. Else its archive's own are.

    Raises:
        InputError: It is missing, damaged, no model that Keras can load here, or has weights elsewhere.
    """
    import keras

    _require_whole(path, advice, checked)
    with reading(path, _WHAT, advice):
        model = keras.models.load_model(path, safe_mode=True, compile=False)
    if not isinstance(model, keras.Model):
        raise InputError(
            f"file {path}: expected {_WHAT}, received a {type(model).__name__} of Keras; {advice}."
        )
    return model


def keras_file_config(path: Path, advice: str) -> dict[str, Any]:
    """Return how a .keras file describes its model, with "class_name" and "config", without importing Keras.

    Raises:
        InputError: The file is missing or damaged.
    """
    content = read_zip_member(path, _CONFIG, _WHAT, advice)
    keys = {"class_name": str, "config": dict[str, Any]}
    return parse_json(content, f"file {path}: {_CONFIG}", keys, advice=advice)


def keras_file_date(path: Path, advice: str) -> str:
    """Return when a .keras file was saved, by the clock of the machine that did; "" where it does not say.

    Raises:
        InputError: The file is missing or damaged.
    """
    content = read_zip_member(path, _METADATA, _WHAT, advice)
    found = parse_json(content, f"file {path}: {_METADATA}", {"date_saved": str | None}, advice=advice)
    return (found.get("date_saved") or "").replace("@", " ")


def _require_whole(path: Path, advice: str, checked: bool) -> None:
    """Refuse an archive whose members are not what it says of them, at which Keras itself does not look."""
    place = f"file {path}"
    with open_zip(path, _WHAT, advice) as archive:
        if not checked:
            with guarded(place, _WHAT, advice):
                damaged = archive.testzip()
            if damaged is not None:
                raise InputError(f"{place}: {damaged} in it is damaged, its checksum differs; {advice}.")
        for name in (name for name in archive.namelist() if name.endswith(_WEIGHTS)):
            with guarded(place, _WHAT, advice):
                content = archive.read(name)
            require_own_content(io.BytesIO(content), f"{place}: {name}", advice)

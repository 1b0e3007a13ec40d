"""The preprocessing files of an export: code and data that turn strings into the numbers of its core."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from kexp.core.constraints import RecordedCount
from kexp.core.errors import InputError
from kexp.core.json_files import read_json_file, require_keys
from kexp.export.exporter import Exporter
from kexp.export.manifest import ADVICE
from kexp.export.parity import Arrays, Runner
from kexp.export.preprocess import preprocessing

SCRIPT, SETTINGS = "preprocess.py", "preprocess.json"
# Whoever imports the script from the folder leaves Python's own folder there.
PARTS = frozenset({SCRIPT, SETTINGS, "__pycache__"})
OWN_SCRIPT = Path(__file__).with_name(SCRIPT)  # what the script in every export of this kexp is a copy of

_KEYS = {"inputs": dict[str, dict[str, Any]]}
_INPUT_KEYS = {
    "split": Literal["character", "word", "space", "subword", "whole"],
    "tokens": list[str],
    "first": RecordedCount,
    "unknown": RecordedCount,
    "steps": RecordedCount | None,
    "lead": bool | None,
}


def write_preprocessing(version: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Write both files into a version's folder.

    Args:
        version: The folder.
        settings: As `kexp.export.preprocess.preprocessing` takes them.
    """
    (version / SCRIPT).write_bytes(OWN_SCRIPT.read_bytes())
    text = json.dumps({"inputs": settings}, ensure_ascii=False, indent=1)
    (version / SETTINGS).write_text(f"{text}\n", encoding="utf-8", newline="\n")


def is_preprocessed(version: Path, exporter: Exporter) -> bool:
    """Return whether what a format holds in a version's folder takes numbers in the place of strings."""
    return SETTINGS in exporter.parts and (version / SETTINGS).is_file()


def shipped_script(version: Path, exporter: Exporter) -> Path | None:
    """Return the script that was just written for a format, or None: it takes raw inputs."""
    return version / SCRIPT if is_preprocessed(version, exporter) else None


def has_own_script(version: Path) -> bool:
    """Return whether the script in a version's folder is the one that this kexp would put there."""
    path = version / SCRIPT
    return path.is_file() and path.read_bytes() == OWN_SCRIPT.read_bytes()


def load_runner(version: Path, exporter: Exporter) -> Runner:
    """Return what runs the signatures of a format on raw inputs, by kexp's own code.

    The script in the folder, which may be anyone's, is not run.

    Raises:
        InputError: The settings are damaged.
    """
    run = exporter.load(str(version))
    if not is_preprocessed(version, exporter):
        return run
    prepare = preprocessing(_read(version))

    def prepared(signature: str, inputs: Arrays) -> Arrays:
        return run(signature, prepare(inputs))

    return prepared


def _read(version: Path) -> dict[str, dict[str, Any]]:
    path = version / SETTINGS
    found: dict[str, dict[str, Any]] = {}
    for name, given in read_json_file(path, _KEYS, advice=ADVICE)["inputs"].items():
        require_keys(given, f"file {path}: {name}", _INPUT_KEYS, advice=ADVICE)
        if (given["split"] == "whole") != (given.get("steps") is None):
            raise InputError(f"file {path}: {name}: its steps are not those of its split; {ADVICE}.")
        found[name] = {key: given[key] for key in _INPUT_KEYS if given.get(key) is not None}
    return found

"""The files of a run folder: what each must hold, and whether it is still what the run wrote."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from kexp.core.constraints import RecordedCount
from kexp.core.errors import InputError
from kexp.core.files import sha256_of
from kexp.core.foreign_files import reason, require_checksum
from kexp.core.json_files import Keys, read_json_file, require_keys
from kexp.core.user_paths import user_path

FORMAT = 1  # of the JSON files
CONFIG, ENVIRONMENT, RESULT = "config.json", "env.json", "result.json"
ARCHITECTURE = "architecture.json"
METRICS, MODEL, SAMPLES, CURVES = "metrics.jsonl", "model.keras", "samples.npz", "curves.png"
CHECKSUMS, PACE = "checksums.jsonl", "pace.jsonl"
CALIBRATION = "calibration.json"  # written after result.json, by `kexp calibrate`
ADVICE = "restore it, or train the run again"
FIT = "fit"  # what a run of `kexp.fit` records in the place of a recipe's name
# Written before result.json, and not after.
_CHECKED = (CONFIG, ENVIRONMENT, ARCHITECTURE, METRICS, CHECKSUMS, PACE, MODEL, SAMPLES, CURVES)
CONFIG_KEYS: Keys = {"recipe": str, "arguments": dict[str, Any], "epochs": RecordedCount | None}
DATA_KEYS: Keys = {"data": dict[str, str]}
_DATA: Keys = {"name": str, "fingerprint": str}
_ENVIRONMENT_KEYS: Keys = {**DATA_KEYS, "checkpoint_dir": str | None, "notes": list[str] | None}
ARCHITECTURE_KEYS: Keys = {"keras": str, "models": dict[str, list[dict[str, Any]]]}
_LAYER: Keys = {
    "class": str,
    "name": str | None,
    "depth": RecordedCount,
    "calls": Any,
    "outputs": Any,
    "config": dict[str, Any],
    "code": dict[str, str],
    "weights": list[list[RecordedCount]],
}
_RESULT_KEYS: Keys = {
    "metrics": dict[str, float],
    "history": dict[str, list[float]],
    "spec": dict[str, Any],
    "from_logits": bool,
    "best_epoch": RecordedCount | None,
    "parameters": RecordedCount,
    "seconds": float,
    "files": dict[str, str] | None,
    "phases": list[RecordedCount] | None,
    "intervals": dict[str, tuple[float, float]] | None,
    "sample_split": Literal["validation", "training"] | None,
    "ended": str | None,
    "classical": dict[str, Any] | None,
    "classical_seconds": dict[str, float] | dict[str, dict[str, float]] | None,
}


def read_config(run_dir: Path) -> dict[str, Any]:
    """Return the content of config.json, with "recipe" and "arguments".

    Raises:
        InputError: It is missing, damaged, or of a newer kexp.
    """
    return read_json_file(run_dir / CONFIG, CONFIG_KEYS, advice=ADVICE, newest_format=FORMAT)


def read_environment(run_dir: Path) -> dict[str, Any]:
    """Return the content of env.json, with the "name" and "fingerprint" of its "data".

    Raises:
        InputError: It is missing, damaged, or of a newer kexp.
    """
    path = run_dir / ENVIRONMENT
    content = read_json_file(path, _ENVIRONMENT_KEYS, advice=ADVICE, newest_format=FORMAT)
    require_data(content, f"file {path}", ADVICE)
    return content


def read_architecture(run_dir: Path) -> dict[str, Any] | None:
    """Return the content of architecture.json; see `kexp.run.architecture`. Runs of kexp 0.1.0 have none.

    Raises:
        InputError: It is damaged, or of a newer kexp.
    """
    path = run_dir / ARCHITECTURE
    if not os.path.lexists(path):
        return None
    content = read_json_file(path, ARCHITECTURE_KEYS, advice=ADVICE, newest_format=FORMAT)
    require_layers(content, f"file {path}", ADVICE)
    return content


def require_layers(content: Mapping[str, Any], place: str, advice: str) -> None:
    """Refuse a recorded architecture with a layer that lacks what each must have.

    Raises:
        InputError: There is one.
    """
    for name, layers in content["models"].items():
        for number, layer in enumerate(layers):
            require_keys(layer, f"{place}: {name}[{number}]", _LAYER, advice=advice)


def require_data(content: Mapping[str, Any], place: str, advice: str) -> None:
    """Refuse a recorded data set without name or fingerprint.

    Raises:
        InputError: It lacks one.
    """
    for name in _DATA:
        if name not in content["data"]:
            raise InputError(f"{place}: data lacks the key {name}; {advice}.")


def read_result(run_dir: Path) -> dict[str, Any]:
    """Return the content of result.json; see `kexp.run.record.RunRecord`.

    Raises:
        InputError: It is missing, damaged, or of a newer kexp.
    """
    path = run_dir / RESULT
    content = read_json_file(path, _RESULT_KEYS, advice=ADVICE, newest_format=FORMAT)
    lengths = {len(values) for values in content["history"].values()}
    if len(lengths) != 1 or 0 in lengths or (content["best_epoch"] or 0) > max(lengths):
        raise InputError(
            f"file {path}: history must hold as many metrics of each name as there were epochs, and "
            f"best_epoch be one of them; {ADVICE}."
        )
    return content


def checksums(run_dir: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that a run has written when it ends, by name."""
    return {name: sha256_of(run_dir / name) for name in _CHECKED if (run_dir / name).is_file()}


def require_unchanged(path: Path, files: Mapping[str, str]) -> None:
    """Refuse a file of a run folder that is not what the run wrote.

    Args:
        path: The file.
        files: From result.json; a file that is not in there, as in runs of kexp 0.1.0, is not known.

    Raises:
        InputError: It is missing, or another.
    """
    if path.name in files:
        require_checksum(path, files[path.name], "the run", ADVICE)


def run_folder(name: str, value: str | os.PathLike[str], what: str = "the folder of a finished run") -> Path:
    """Return a folder that is to hold a run, once it is known to hold one that is finished.

    Args:
        name: The argument, for the message.
        value: What the user gave.
        what: What it must be, for the message.

    Raises:
        InputError: It holds none, or cannot be read.
    """
    path = user_path(name, value)
    names = names_in(name, path, what)
    if RESULT not in names:
        state = "an unfinished run" if CONFIG in names else "no run"
        raise InputError(f"{name} must be {what}; {path} holds {state}.")
    return path


def names_in(name: str, path: Path, what: str) -> list[str]:
    """Return the names of the files in a folder, none where there is no folder.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(
            f"{name} must be {what}; {path} cannot be read ({reason(error)}), so change its permissions."
        ) from None

"""calibration.json of a run folder: the temperature of its probabilities, and how far they were off."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from kexp.core.constraints import AtLeast, Between, RecordedCount
from kexp.core.errors import InputError
from kexp.core.files import sha256_of, write_json
from kexp.core.json_files import Keys, read_json_file, require_keys
from kexp.run.run_files import CALIBRATION, FORMAT, MODEL

_ADVICE = "remove it, and calibrate the run again"
_LOSS = Annotated[float, AtLeast(0.0)]
_KEYS: Keys = {
    "temperature": Annotated[float, Between(0.01, 100.0)],
    "bins": RecordedCount,
    "date": str,
    "model": str,
    "validation": dict[str, Any],
    "test": dict[str, Any] | None,
}
_PART: Keys = {
    "samples": RecordedCount,
    "error_before": Annotated[float, Between(0.0, 1.0)],
    "error_after": Annotated[float, Between(0.0, 1.0)],
    "error_by_chance": Annotated[float, Between(0.0, 1.0)],
    "log_loss_before": _LOSS,
    "log_loss_after": _LOSS,
}


@dataclass(frozen=True)
class CalibrationErrors:
    """How far the probabilities for a part of the data are off, before and after.

    Attributes:
        samples: Of the part.
        error_before: Expected calibration error (Guo et al. 2017) of the network's own probabilities.
        error_after: The same, of those by the temperature.
        error_by_chance: What it would be on average of so many samples, if the latter held exactly.
        log_loss_before: Mean negative logarithm of the probability of the true class, nats.
        log_loss_after: The same, of those by the temperature.
    """

    samples: int
    error_before: float
    error_after: float
    error_by_chance: float
    log_loss_before: float
    log_loss_after: float


@dataclass(frozen=True)
class Calibration:
    """The temperature that the logits of a classifier are divided by, and what that is worth.

    Attributes:
        temperature: Above 1 for a network that was too sure, below for one that was not sure enough.
        bins: Of the expected calibration errors.
        date: When it was fitted, UTC.
        model: SHA-256 of the model.keras that it is for.
        validation: What it was fitted on.
        test: The part that it has not seen; None: the data has none.
    """

    temperature: float
    bins: int
    date: str
    model: str
    validation: CalibrationErrors
    test: CalibrationErrors | None

    def to_json(self) -> dict[str, Any]:
        """Return the content of calibration.json."""
        return {"format": FORMAT, **asdict(self)}


def write_calibration(run_dir: Path, calibration: Calibration) -> None:
    """Write calibration.json into a run folder, in the place of an earlier one."""
    write_json(run_dir / CALIBRATION, calibration.to_json())


def read_calibration(run_dir: Path, files: Mapping[str, str]) -> Calibration | None:
    """Return what calibration.json of a run folder holds; None: the run was not calibrated.

    Args:
        run_dir: The run folder.
        files: SHA-256 of its other files by name, from result.json; {}: not known.

    Raises:
        InputError: It is damaged, of a newer kexp, or was fitted to another model.
    """
    path = run_dir / CALIBRATION
    if not os.path.lexists(path):
        return None
    content = read_json_file(path, _KEYS, advice=_ADVICE, newest_format=FORMAT)
    if content["model"] != model_checksum(run_dir, files):
        raise InputError(f"file {path}: is of another {MODEL} than the run has; {_ADVICE}.")
    parts = {name: _part(content[name], f"file {path}: {name}") for name in ("validation", "test")}
    assert parts["validation"] is not None
    return Calibration(
        content["temperature"],
        content["bins"],
        content["date"],
        content["model"],
        parts["validation"],
        parts["test"],
    )


def model_checksum(run_dir: Path, files: Mapping[str, str]) -> str:
    """Return the SHA-256 of the model of a run, as result.json has it or else of the file."""
    return files.get(MODEL) or sha256_of(run_dir / MODEL)


def _part(content: dict[str, Any] | None, place: str) -> CalibrationErrors | None:
    if content is None:
        return None
    require_keys(content, place, _PART, advice=_ADVICE)
    return CalibrationErrors(**{name: content[name] for name in _PART})

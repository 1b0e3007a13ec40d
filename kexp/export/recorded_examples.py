"""Recorded examples: inputs of each signature with the model's outputs, in assets.extra/examples.npz."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kexp.core.constraints import RecordedCount
from kexp.core.errors import InputError
from kexp.core.json_files import require_keys
from kexp.core.numpy_files import read_npz
from kexp.export.parity import BATCH_SIZES, TOLERANCE, Arrays, ParityCase, Tied, without_objects

LOCATION = Path("assets.extra", "examples.npz")
_INPUTS, _OUTPUTS, _TIED = "inputs", "outputs", "tied"
_KEYS = {"split": str | None, "formats": dict[str, dict[str, Any]]}
_FORMAT_KEYS = {"signatures": dict[str, list[RecordedCount]], "tolerance": float}


class ExampleRows(NamedTuple):
    """The samples of an export that are recorded in it.

    Attributes:
        split: The part of the data that they are of, "validation"; None: the model takes no data, but seeds.
        rows: Their places among the samples that the export is compared with.
    """

    split: str | None
    rows: tuple[int, ...]


def example_case(case: ParityCase, rows: Sequence[int]) -> ParityCase:
    """Return a parity case with the samples in some rows; one that is no batch of samples stays as it is."""
    if case.batch_sizes != BATCH_SIZES:
        return case
    places = list(rows)
    return replace(
        case,
        examples={key: values[places] for key, values in case.examples.items()},
        expected={name: values[places] for name, values in case.expected.items()},
    )


def numbers_within(case: ParityCase, tolerance: float) -> ParityCase:
    """Return a case that expects the numbers alone, within a tolerance, and no choices made by them."""
    numbers = {name: values for name, values in case.expected.items() if values.dtype.kind == "f"}
    return replace(case, expected=numbers, tolerance=tolerance)


def write_examples(version: Path, cases: Mapping[str, Sequence[ParityCase]]) -> None:
    """Write the inputs and outputs of the cases of all formats, each signature once.

    Args:
        version: The folder of a version.
        cases: By format.
    """
    arrays: dict[str, np.ndarray] = {}
    for case in (case for its_cases in cases.values() for case in its_cases):
        for group, values in ((_INPUTS, case.examples), (_OUTPUTS, case.expected)):
            arrays |= {
                f"{case.signature}/{group}/{name}": without_objects(array) for name, array in values.items()
            }
        tied = np.asarray(case.tied(case.expected))
        if tied.any():
            arrays[f"{case.signature}/{_TIED}"] = tied
    path = version / LOCATION
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # mypy: for allow_pickle


def describe_examples(split: str | None, cases: Mapping[str, Sequence[ParityCase]]) -> dict[str, Any]:
    """Return what kexp.json says of the examples.

    Args:
        split: The part of the data that they are of; None: of none, as seeds are.
        cases: By format.
    """
    formats = {
        form: {
            "signatures": {case.signature: list(case.batch_sizes) for case in its_cases},
            "tolerance": max((case.tolerance for case in its_cases), default=TOLERANCE),
        }
        for form, its_cases in cases.items()
    }
    return {"split": split, "formats": formats}


def read_examples(version: Path, described: Mapping[str, Any], advice: str) -> dict[str, list[ParityCase]]:
    """Return the cases of each format that were recorded in a version's folder.

    Args:
        version: The folder.
        described: From kexp.json, as `describe_examples` returned it.
        advice: What to do about damage.

    Raises:
        InputError: They are damaged.
    """
    place = f"file {version / LOCATION}"
    require_keys(described, f"{place}: its description", _KEYS, advice=advice)
    arrays = read_npz(version / LOCATION, advice)
    found: dict[str, list[ParityCase]] = {}
    for form, its_own in described["formats"].items():
        require_keys(its_own, f"{place}: its description of {form}", _FORMAT_KEYS, advice=advice)
        cases = [_case(arrays, name, sizes, place, advice) for name, sizes in its_own["signatures"].items()]
        if its_own["tolerance"] > TOLERANCE:
            cases = [numbers_within(case, its_own["tolerance"]) for case in cases]
        found[form] = cases
    return found


def _case(arrays: Arrays, signature: str, sizes: Sequence[int], place: str, advice: str) -> ParityCase:
    inputs, outputs = (_group(arrays, f"{signature}/{group}/") for group in (_INPUTS, _OUTPUTS))
    counts = {array.shape[0] if array.ndim else 0 for array in (*inputs.values(), *outputs.values())}
    if not inputs or not outputs or (sizes and (len(counts) != 1 or 0 in counts)):
        raise InputError(f"{place}: must hold as many inputs as outputs of {signature}; {advice}.")
    tied = arrays.get(f"{signature}/{_TIED}", np.False_)
    return ParityCase(signature, inputs, outputs, tuple(sizes), _tied(np.asarray(tied), bool(sizes)))


def _tied(tied: np.ndarray, batched: bool) -> Tied:
    """Return what gives the recorded ties of a batch, whose rows are those of the examples, repeated."""
    if not batched or not tied.ndim:
        return lambda expected: tied
    return lambda expected: tied[np.arange(len(next(iter(expected.values())))) % len(tied)]


def _group(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

"""The parity check: a fresh process without kexp or Keras must compute what was measured."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

BATCH_SIZES = (1, 3, 64)
TOLERANCE = 1e-5  # of a number, relative to max(1, |number|)
# Of a byte of an image: a number between two of them, which rounding takes to either, is not an error.
LEVELS = 1
# Of the lead that a drawn text had over the next one: a sum of differences within the tolerance.
MARGIN = 1e-4
TIMEOUT_S = 600
_NO_MODULE = re.compile(r"^ModuleNotFoundError: No module named '([^'.]+)[^']*'\s*\Z", re.MULTILINE)


class ExportError(RuntimeError):
    """An export that does not compute what the model computed; nothing of it is left on disk."""


class RuntimeMissing(ExportError):
    """A format that cannot be run here, since a package that it needs is not installed.

    Attributes:
        package: Its name.
    """

    def __init__(self, package: str) -> None:
        super().__init__(f"the exported model does not run in a fresh process: there is no package {package}")
        self.package = package


Arrays = Mapping[str, np.ndarray]
# From the name of a signature and its inputs by key to its outputs by name, strings as bytes or str objects.
Runner = Callable[[str, Arrays], Arrays]
Tied = Callable[[Arrays], "np.ndarray | np.bool_"]  # from expected outputs to where their choices may differ


def _never_tied(expected: Arrays) -> np.bool_:
    return np.False_


@dataclass(frozen=True, eq=False)
class ParityCase:
    """Inputs of a signature, and the outputs that it has to compute.

    Attributes:
        signature: Its name.
        examples: The raw inputs by key; (samples, ...) where there are batch sizes, 64 or more serve best and
            fewer are repeated.
        expected: The outputs by name, for the same examples.
        batch_sizes: Take the first so many samples as a batch, for each of these; none: take the examples as
            they are.
        tied: Where choices among the expected outputs may differ, since either is right; by sample, or of the
            shape of the choices.
        tolerance: How far a number may be from the expected one, relative to max(1, |number|).
        ties_reorder: What is tied is left out of all outputs, since it may come in another order.
    """

    signature: str
    examples: Mapping[str, np.ndarray]
    expected: Arrays
    batch_sizes: Sequence[int] = BATCH_SIZES
    tied: Tied = _never_tied
    tolerance: float = TOLERANCE
    ties_reorder: bool = False


def check_parity(
    artifact: Path,
    load: Callable[[str], Runner],
    cases: Sequence[ParityCase],
    preprocessing: Path | None = None,
) -> dict[str, float]:
    """Compare what an exported model computes in a fresh process with what was measured.

    The process imports nothing of kexp or Keras, and runs on the CPU, since this one may hold all of an
    accelerator's memory. It calls everything twice.

    Args:
        artifact: Folder with the exported model.
        load: The `load` of its format's exporter.
        cases: What to compare.
        preprocessing: Python source with the function `load_preprocessing`, from the folder to what stands
            between raw inputs and the model; default None: nothing.

    Returns:
        The largest difference from the expected outputs by signature: of a number relative to
        max(1, |number|), of a byte of an image as a share of 255.

    Raises:
        ExportError: An output differs, two calls disagree, or the exported model does not run.
    """
    with tempfile.TemporaryDirectory(prefix="kexp-parity-") as folder:
        outputs = run_fresh(artifact.resolve(), load, cases, Path(folder), preprocessing)
    largest: dict[str, float] = {}
    for case in cases:
        for size in case.batch_sizes or [0]:
            expected = _batch(case.expected, size) if size else case.expected
            first, second = (_of_call(outputs, f"{case.signature}/{size}/{call}/") for call in (1, 2))
            batch = f"batch of {size}" if size else f"call of {case.signature}"
            kept = _kept(expected, case)
            found = _compare(
                first, expected, case.tied, f"a {batch} computes something else", case.tolerance, kept
            )
            _compare(second, first, case.tied, f"two calls with the same {batch} disagree", kept=kept)
            largest[case.signature] = max(found, largest.get(case.signature, 0.0))
    return largest


def _batch(arrays: Arrays, size: int) -> Arrays:
    """Return the first rows, repeated where there are fewer."""
    return {name: array[np.arange(size) % len(array)] for name, array in arrays.items()}


def run_fresh(
    artifact: Path,
    load: Callable[[str], Runner],
    cases: Sequence[ParityCase],
    folder: Path,
    preprocessing: Path | None = None,
) -> Arrays:
    """Run `parity_process.py` on the examples and return the arrays it wrote."""
    examples = {
        f"{case.signature}/{key}": without_objects(
            values[: max(case.batch_sizes)] if case.batch_sizes else values
        )
        for case in cases
        for key, values in case.examples.items()
    }
    loader = f"from __future__ import annotations\n\n{inspect.getsource(load)}\n\nload = {load.__name__}\n"
    (folder / "loader.py").write_text(loader, encoding="utf-8")
    np.savez(folder / "examples.npz", **examples)  # type: ignore[arg-type]  # mypy: for allow_pickle
    script = Path(__file__).with_name("parity_process.py").read_text(encoding="utf-8")
    sizes = json.dumps({case.signature: list(case.batch_sizes) for case in cases})
    before = "" if preprocessing is None else str(preprocessing.resolve())
    arguments = ["loader.py", str(artifact), "examples.npz", "outputs.npz", sizes, before]
    process = run_python(script, arguments, folder)
    if process.returncode:
        missing = _NO_MODULE.search(process.stderr)
        if missing:
            raise RuntimeMissing(missing[1])
        raise ExportError(
            "the exported model does not run in a fresh process "
            f"(exit status {process.returncode}):\n{_tail(process.stderr)}"
        )
    with np.load(folder / "outputs.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def run_python(script: str, arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a new interpreter that sees no accelerator.

    Raises:
        ExportError: It takes too long.
    """
    try:
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=folder,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise ExportError(
            f"the exported model did not answer in a fresh process within {TIMEOUT_S} s"
        ) from None


def without_objects(values: np.ndarray) -> np.ndarray:
    """Turn str objects, which NumPy would have to pickle, into an array of str."""
    return values.astype(np.str_) if values.dtype == object else values


def _tail(text: str, lines: int = 12) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def _of_call(outputs: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in outputs.items() if name.startswith(prefix)}


def _kept(expected: Arrays, case: ParityCase) -> Any:
    """Return which samples are compared: all but texts drawn by a hair, and those of a tie that reorders."""
    drawn = expected.get("margin")
    if drawn is not None:
        return drawn > MARGIN
    return ~np.atleast_1d(case.tied(expected)) if case.ties_reorder else slice(None)


def _compare(
    received: Arrays,
    expected: Arrays,
    tied: Tied,
    complaint: str,
    tolerance: float = TOLERANCE,
    kept: Any = slice(None),
) -> float:
    """Compare the numbers first, then what was chosen by them; return the largest difference of numbers."""
    largest = 0.0
    for name, array in sorted(expected.items(), key=lambda item: item[1].dtype.kind != "f"):
        other = received.get(name)
        if other is None or other.shape != array.shape:
            shape = "none" if other is None else f"shape {other.shape}"
            raise ExportError(f"{complaint}: expected predictions of shape {array.shape}, received {shape}")
        if array.dtype.kind == "f":
            largest = max(largest, _compare_numbers(other[kept], array[kept], complaint, tolerance))
        elif array.dtype == np.uint8:
            largest = max(largest, _compare_pixels(name, other[kept], array[kept], complaint) / 255)
        else:
            alike = np.asarray(tied(expected))
            _compare_choices(name, other[kept], array[kept], alike[kept] if alike.ndim else alike, complaint)
    return largest


def _compare_numbers(received: np.ndarray, expected: np.ndarray, complaint: str, tolerance: float) -> float:
    if not expected.size:
        return 0.0
    difference = float(np.max(np.abs(received - expected) / np.maximum(1, np.abs(expected))))
    if not difference <= tolerance:  # so that NaN is a difference, too
        raise ExportError(
            f"{complaint}: the largest difference is {difference:.3g}, allowed is {tolerance:g}"
        )
    return difference


def _compare_pixels(name: str, received: np.ndarray, expected: np.ndarray, complaint: str) -> int:
    difference = int(np.abs(received.astype(np.int16) - expected.astype(np.int16)).max(initial=0))
    if difference > LEVELS:
        raise ExportError(
            f"{complaint}: the largest difference of the {name} is {difference} of 255, allowed is {LEVELS}"
        )
    return difference


def _compare_choices(
    name: str, received: np.ndarray, expected: np.ndarray, tied: np.ndarray | np.bool_, complaint: str
) -> None:
    tied = np.asarray(tied)
    aligned = tied.reshape(*tied.shape, *[1] * (expected.ndim - tied.ndim)) if tied.ndim else tied
    wrong = np.argwhere((received != expected) & ~aligned)
    if len(wrong):
        place = tuple(wrong[0])
        raise ExportError(
            f"{complaint}: the {name} of sample {place[0]} is {_shown(received[place])}, not "
            f"{_shown(expected[place])}"
        )


def _shown(value: object) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)

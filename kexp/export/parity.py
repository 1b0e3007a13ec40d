"""The parity check: a fresh process with TensorFlow alone must get the answers that were measured."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kexp.run.predictions import Predictions

BATCH_SIZES = (1, 3, 64)
TOLERANCE = 1e-5  # of a probability; of a value, relative to max(1, |value|)
TIMEOUT_S = 600


class ExportError(RuntimeError):
    """An export that does not compute what the model computed; nothing of it is left on disk."""


def check_parity(saved_model: Path, samples: Mapping[str, np.ndarray], expected: Predictions) -> None:
    """Compare what a SavedModel answers in a fresh process with what was measured.

    The process imports TensorFlow and NumPy only, and runs on the CPU, since this one may hold all of an
    accelerator's memory. It takes the first 1, 3 and 64 samples as one batch each, twice.

    Args:
        saved_model: Folder with saved_model.pb.
        samples: The raw inputs by signature key, (samples, ...); 64 or more serve best, fewer are
            repeated.
        expected: The predictions for the same samples.

    Raises:
        ExportError: An answer differs, two calls disagree, or the SavedModel does not run.
    """
    with tempfile.TemporaryDirectory(prefix="kexp-parity-") as folder:
        answers = _run_fresh(saved_model.resolve(), samples, Path(folder))
    for batch_size in BATCH_SIZES:
        rows = np.arange(batch_size) % len(expected)
        first, second = (_answers_of(answers, batch_size, call) for call in ("first", "second"))
        _compare(first, _select(expected, rows), f"a batch of {batch_size} computes something else")
        _compare(second, first, f"two calls with the same batch of {batch_size} disagree")


def _run_fresh(saved_model: Path, samples: Mapping[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    """Run `fresh.py` on the first samples and return the arrays it wrote."""
    first = {f"inputs/{key}": _plain(values[: max(BATCH_SIZES)]) for key, values in samples.items()}
    np.savez(folder / "samples.npz", **first)  # type: ignore[arg-type]  # mypy takes them for allow_pickle
    script = Path(__file__).with_name("fresh.py").read_text(encoding="utf-8")
    arguments = [str(saved_model), "samples.npz", "answers.npz", *map(str, BATCH_SIZES)]
    try:
        process = subprocess.run(
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
    if process.returncode:
        raise ExportError(
            "the exported model does not run in a fresh process "
            f"(exit status {process.returncode}):\n{_tail(process.stderr)}"
        )
    with np.load(folder / "answers.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _plain(values: np.ndarray) -> np.ndarray:
    """Turn str objects, which NumPy would have to pickle, into an array of str."""
    return values.astype(np.str_) if values.dtype == object else values


def _tail(text: str, lines: int = 12) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def _answers_of(answers: Mapping[str, np.ndarray], batch_size: int, call: str) -> Predictions:
    labels, probabilities, values = (
        answers.get(f"{batch_size}/{call}/{name}") for name in ("label", "probabilities", "values")
    )
    return Predictions(labels, probabilities, values)


def _select(predictions: Predictions, rows: np.ndarray) -> Predictions:
    arrays = (predictions.labels, predictions.probabilities, predictions.values)
    return Predictions(*(None if array is None else array[rows] for array in arrays))


def _compare(received: Predictions, expected: Predictions, complaint: str) -> None:
    if expected.values is not None:
        scale = np.maximum(1, np.abs(expected.values))
        _compare_numbers(received.values, expected.values, scale, complaint)
        return
    assert expected.probabilities is not None
    _compare_numbers(received.probabilities, expected.probabilities, np.float32(1), complaint)
    _compare_labels(received.labels, expected, complaint)


def _compare_numbers(
    received: np.ndarray | None, expected: np.ndarray, scale: np.ndarray | np.float32, complaint: str
) -> None:
    if received is None or received.shape != expected.shape:
        shape = "none" if received is None else f"shape {received.shape}"
        raise ExportError(f"{complaint}: expected answers of shape {expected.shape}, received {shape}")
    difference = float(np.max(np.abs(received - expected) / scale))
    if not difference <= TOLERANCE:  # so that NaN is a difference, too
        raise ExportError(
            f"{complaint}: the largest difference is {difference:.3g}, allowed is {TOLERANCE:g}"
        )


def _compare_labels(received: np.ndarray | None, expected: Predictions, complaint: str) -> None:
    assert expected.labels is not None
    assert expected.probabilities is not None
    if received is None:
        raise ExportError(f"{complaint}: it gives no labels")
    ordered = np.sort(expected.probabilities, axis=1)
    # Between two classes that are equally probable either is right.
    tied = ordered[:, -1] - ordered[:, -2:].min(axis=1) <= TOLERANCE
    wrong = np.flatnonzero((received != expected.labels) & ~tied)
    if len(wrong):
        row = wrong[0]
        raise ExportError(
            f"{complaint}: sample {row} is labelled {str(received[row])!r}, not {str(expected.labels[row])!r}"
        )

"""Quantization: weights in fewer bits, and what that costs on samples that training did not see."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import DatasetSpec, Inputs
from kexp.export.input_names import by_key
from kexp.export.parity import BATCH_SIZES, Arrays, ExportError, ParityCase, Runner, run_fresh
from kexp.tasks import task_named
from kexp.tasks.predictions import Predictions

QuantizedType = Literal["float16", "int8"]
REPRESENTATIVES = (
    200  # samples that ranges of int8 are measured by, as many as TensorFlow's guide says suffice
)
LARGEST_HALF = 65504.0  # that float16 holds
_MOST = 1000  # samples that the cost is measured by
AGREEMENT = 1e-3  # between batches and calls, of a number, relative to max(1, |number|)


@dataclass(frozen=True, eq=False)
class Quantization:
    """A smaller type of a model's weights, with samples to choose ranges by and to measure the cost on.

    Attributes:
        type: float16: weights in half the bytes; int8: weights and sums in a quarter.
        inputs: Raw samples of the validation part.
        targets: (samples, ...) of the same.
        expected: What the model predicts for them.
        max_drop: What it may cost at most, see `drop`.
    """

    type: QuantizedType
    inputs: Inputs
    targets: np.ndarray
    expected: Predictions
    max_drop: float

    def first_samples(self, keys: dict[str, str], count: int = _MOST) -> dict[str, np.ndarray]:
        """Return the first samples by the keys of the signature."""
        return {key: values[:count] for key, values in by_key(self.inputs, keys).items()}

    def representatives(self, keys: dict[str, str]) -> Iterator[dict[str, np.ndarray]]:
        """Yield samples one by one, as batches of one."""
        samples = self.first_samples(keys, REPRESENTATIVES)
        for place in range(len(next(iter(samples.values())))):
            yield {key: values[place : place + 1] for key, values in samples.items()}


def check_measurable(spec: DatasetSpec) -> None:
    """Refuse a task without a figure that says what quantization costs.

    Raises:
        InputError: It has none.
    """
    if not task_named(spec.task).exact_names(spec):
        raise InputError(
            f"quantize must be left out for {spec.task}, of which no exact metric says what it costs."
        )


def too_large_for_halves(name: str, number: float) -> InputError:
    """Return the error for a number of a model that float16 does not hold.

    Example:
        >>> too_large_for_halves("dense/BiasAdd:0", 123456.7)
        InputError("quantize: float16 holds numbers up to 65504, and 'dense/BiasAdd:0' of the model ...")
    """
    return InputError(
        f"quantize: float16 holds numbers up to {LARGEST_HALF:.0f}, and {name!r} of the model comes to "
        f"{number:.6g}; scale it within the model, or use int8."
    )


def drop(before: float, after: float, direction: str) -> float:
    """Return what a metric has lost: its difference, or of an error the share by which it has grown.

    Example:
        >>> round(drop(0.95, 0.94, "max"), 3), drop(2.0, 2.5, "min")
        (0.01, 0.25)
    """
    return before - after if direction == "max" else (after - before) / max(abs(before), 1e-12)


def measured(
    artifact: Path,
    load: Callable[[str], Runner],
    signature: str,
    quantization: Quantization,
    keys: dict[str, str],
    spec: DatasetSpec,
    preprocessing: Path | None = None,
) -> dict[str, Any]:
    """Return what a quantized model loses, measured in a fresh process.

    Raises:
        ExportError: It loses more than is allowed, batches or calls disagree, or it does not run.
    """
    examples = quantization.first_samples(keys)
    count = len(next(iter(examples.values())))
    case = ParityCase(signature, examples, {}, (*BATCH_SIZES, count))
    with tempfile.TemporaryDirectory(prefix="kexp-parity-") as folder:
        outputs = run_fresh(artifact.resolve(), load, [case], Path(folder), preprocessing)
    found = _agreed(outputs, signature, count)
    return _compared(found, quantization, count, spec)


def _agreed(outputs: Arrays, signature: str, count: int) -> dict[str, np.ndarray]:
    """Return the outputs for all samples, which other batches and calls must agree with."""
    prefix = f"{signature}/{count}/1/"
    whole = {name.removeprefix(prefix): array for name, array in outputs.items() if name.startswith(prefix)}
    for name, array in whole.items():
        if array.shape[:1] != (count,):
            raise ExportError(
                f"the quantized model gives a {name} of shape {array.shape} for {count} samples"
            )
    for size in (*BATCH_SIZES, count):
        for call in (1, 2):
            for name, array in whole.items():
                other = outputs.get(f"{signature}/{size}/{call}/{name}")
                rows = array[np.arange(size) % count]
                if other is None or other.shape != rows.shape or _apart(other, rows):
                    raise ExportError(
                        f"the quantized model predicts otherwise in a batch of {size} than in one of {count}"
                    )
    return whole


def _apart(received: np.ndarray, expected: np.ndarray) -> bool:
    if expected.dtype.kind != "f":
        return False  # which follows from the numbers, and may differ where they are equal
    difference = np.abs(received - expected) / np.maximum(1, np.abs(expected))
    return not bool(np.all(difference <= AGREEMENT))


def _compared(
    found: dict[str, np.ndarray], quantization: Quantization, count: int, spec: DatasetSpec
) -> dict[str, Any]:
    task = task_named(spec.task)
    targets = quantization.targets[:count]
    expected = {name: array[:count] for name, array in quantization.expected.named().items()}
    _check_choices(found, spec)
    before, after = (task.exact_metrics(targets, one, spec) for one in (expected, found))
    metric, direction = next((name, way) for name, way in task.exact_names(spec).items() if name in before)
    lost = drop(before[metric], after.get(metric, float("nan")), direction)
    if not lost <= quantization.max_drop:  # so that NaN is a loss, too
        raise ExportError(
            f"{quantization.type} takes the {metric} of {count} validation samples from {before[metric]:.4g} "
            f"to {after.get(metric, float('nan')):.4g}, a drop of {lost:.3g} where max_drop allows "
            f"{quantization.max_drop:g}"
        )
    return {
        "type": quantization.type,
        "metric": metric,
        "before": before[metric],
        "after": after[metric],
        "samples": count,
        "max_drop": quantization.max_drop,
    }


def _check_choices(found: dict[str, np.ndarray], spec: DatasetSpec) -> None:
    """Refuse names of classes that are not those of the numbers, by which metrics are computed.

    Raises:
        ExportError: They are others.
        InputError: They are not known by the numbers.
    """
    numbers = found.get("probabilities", found.get("values"))
    if numbers is None:
        raise InputError("quantize must be left out for models with several outputs.")
    chosen = task_named(spec.task).named_predictions(numbers, spec, from_probabilities=True)
    for name, array in chosen.items():
        if array.dtype.kind != "f" and not np.array_equal(found[name].astype(array.dtype), array):
            raise ExportError(f"the quantized model gives a {name} that is not that of its probabilities")

"""Five classifiers in every format and precision: size, test accuracy, and speed beside Keras's `predict`.

    python tools/runtime_table.py [RECIPE …]

Each recipe is trained for some epochs. A file's accuracy is that of its labels on the test part, which
nothing here is chosen by; speed is that of the fastest of five calls with the same samples, from raw
inputs to labels; of Keras that of `predict`, with its batches of 32.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

import kexp
from kexp.data.splits import taken
from kexp.export import ExportError, load_exported
from kexp.report.run_page import recorded_data

SAMPLES, CALLS = 1000, 5
RECIPES: dict[str, dict[str, Any]] = {
    "mlp_images": {"data": "digits", "epochs": 5},
    "cnn_images": {"data": "fashion_mnist_small", "filters": (16, 32), "epochs": 3},
    "mlp_tabular": {"data": "breast_cancer", "epochs": 10},
    "cnn_series": {"epochs": 20},
    "vit_images": {"data": "digits", "width": 32, "depth": 2, "epochs": 5},
}
WAYS = (
    *(("saved_model", None), ("onnx", None), ("onnx", "float16"), ("onnx", "int8")),
    *(("litert", None), ("litert", "float16"), ("litert", "int8")),
)


def main(names: list[str]) -> None:
    """Print the table, the lines of a recipe as soon as they are measured."""
    warnings.simplefilter("ignore")
    print("| recipe | format | precision | bytes | test accuracy | samples/s |")
    print("|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            recipe = getattr(kexp.recipes, name)
            result = recipe(**RECIPES[name], quiet=True, run_dir=str(Path(folder, name)))
            for line in lines(result, Path(folder, f"{name}-served")):
                print(f"| {name} | {' | '.join(line)} |", flush=True)


def lines(result: kexp.Result, folder: Path) -> list[list[str]]:
    """Return a line for Keras and one for each format and precision."""
    test = recorded_data(result).test
    rows = np.resize(np.arange(len(test.targets)), SAMPLES)
    several = taken(test, rows)
    inputs, right = several.inputs, np.asarray(several.targets)

    def line(form: str, precision: str, size: int, answer: Callable[[], Any], labels: Any) -> list[str]:
        accuracy = np.mean([str(one) for one in labels[: len(test.targets)]] == names[: len(test.targets)])
        return [form, precision, f"{size:,}", f"{accuracy:.4f}", f"{SAMPLES / fastest(answer):,.0f}"]

    names = np.asarray(result.spec.class_names)[right]
    network = result.model
    answered = result.predictions_of(inputs)
    weights = sum(one.numpy().nbytes for one in network.weights)
    found = [line("Keras", "float32", weights, lambda: network.predict(inputs, verbose=0), answered.labels)]
    for form, quantize in WAYS:
        try:
            path = Path(result.export(folder / f"{form}-{quantize}", formats=form, quantize=quantize))
        except (kexp.InputError, ExportError) as error:
            reason = f"refused: {' '.join(str(error).split())[:160]}"
            found.append([form, quantize or "float32", reason, "", ""])
            continue
        served = load_exported(path)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and is_network(file))
        answer = partial(served.predict, inputs)
        found.append(line(form, quantize or "float32", size, answer, answer().labels))
    return found


def is_network(file: Path) -> bool:
    """Return whether a file of an export holds graph or weights."""
    return file.suffix in (".onnx", ".tflite", ".pb") or file.parent.name == "variables"


def fastest(answer: Callable[[], Any]) -> float:
    """Return the seconds of the fastest of some calls, after one that is not counted."""
    answer()
    seconds = []
    for _ in range(CALLS):
        started_s = time.perf_counter()
        answer()
        seconds.append(time.perf_counter() - started_s)
    return min(seconds)


if __name__ == "__main__":
    main(sys.argv[1:] or list(RECIPES))

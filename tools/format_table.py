"""Every recipe in every format of an export: the largest difference from the run, or why it is refused.

    python tools/format_table.py [RECIPE …]

Each recipe is trained for one epoch as the tests make it small. Differences are of numbers, relative to
max(1, |number|), over the run's example inputs and extreme ones; other answers, as labels, must be equal. A
model that makes samples was compared by its own signatures in the fresh process, within its tolerance.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

import kexp  # noqa: E402
from kexp.export import ExportError, load_exported  # noqa: E402
from kexp.export.exporter import exporters  # noqa: E402
from kexp.export.extreme_inputs import with_extremes  # noqa: E402
from kexp.tasks import task_named  # noqa: E402
from kexp.tasks.predictions import Predictions  # noqa: E402
from tests.recipes.every import tiny  # noqa: E402


def main(names: list[str]) -> None:
    """Print the table, a line for each recipe as soon as it is measured."""
    warnings.simplefilter("ignore")
    print("| recipe | " + " | ".join(exporters()) + " |")
    print("|---|" + "---|" * len(exporters()), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        digits = Path(folder, "digits")
        kexp.recipes.cnn_images(filters=(8,), epochs=1, quiet=True, run_dir=str(digits))
        for name in names:
            result = trained(name, Path(folder, name), digits)
            cells = [cell(result, form, Path(folder, f"{name}-{form}")) for form in exporters()]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def trained(name: str, run_dir: Path, digits: Path) -> kexp.Result:
    """Return the run of a small model of a recipe."""
    recipe = getattr(kexp.recipes, name)
    return recipe(**tiny(name, digits), epochs=1, quiet=True, run_dir=str(run_dir))


def cell(result: kexp.Result, form: str, folder: Path) -> str:
    """Return the largest difference of an export, or the reason why there is none."""
    try:
        path = result.export(folder, formats=form)
    except (kexp.InputError, ExportError) as error:
        return f"refused: {' '.join(str(error).split())[:200]}"
    if not task_named(result.spec.task).predicts_inputs:
        return "holds"
    inputs = with_extremes(result.example_inputs(), result.spec, result.predictions_of)
    return f"{largest(load_exported(path).predict(inputs), result.predictions_of(inputs)):.1e}"


def largest(received: Predictions, expected: Predictions) -> float:
    """Return the largest difference of numbers, infinity where anything else differs."""
    found, difference = received.named(), 0.0
    for name, array in expected.named().items():
        if array.dtype.kind == "f":
            apart = np.abs(found[name] - array) / np.maximum(1, np.abs(array))
            difference = max(difference, float(apart.max()))
        elif not np.array_equal(found[name], array):
            difference = np.inf
    return difference


if __name__ == "__main__":
    main(sys.argv[1:] or list(kexp.recipes.__all__))

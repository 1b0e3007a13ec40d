"""Generated images above the training images that are nearest to them, which they may be copies of."""

from __future__ import annotations

import numpy as np

from kexp.data.dataset import single_array
from kexp.metrics.sample_distances import nearest
from kexp.report.generated_images import SIDE, generated_images, generator_classes
from kexp.report.html import text_section
from kexp.report.reported import ReportedRun
from kexp.report.sample_images import image_grid

ORDER = 70
_NUMBERS = 20_000_000  # of training images that are compared at once: 160 MB


def applies(run: ReportedRun) -> bool:
    """True for a model that makes images, with its data."""
    return run.data is not None and run.task.makes_samples


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    assert run.data is not None
    images, names = generated_images(run), generator_classes(run)
    images = images[:: len(images) // min(len(names), SIDE)] if names else images[:SIDE]
    train = single_array(run.data.train.inputs)
    text = (
        f"Above {len(images)} of the samples, below each the one of {len(train):,} training images that is "
        "nearest to it by the difference of their pixels. Were they the same, the model would have learned "
        "images by heart."
    )
    both = np.concatenate([images, train[nearest_indices(train, images)]])
    picture = image_grid("samples above the nearest training images", both, len(images))
    return text_section("Nearest training images", text, picture)


def nearest_indices(train: np.ndarray, images: np.ndarray, at_once: int = _NUMBERS) -> np.ndarray:
    """Return the index of the training image that is nearest to each image.

    Args:
        train: (n, ...) training images.
        images: (k, ...) images of the same shape.
        at_once: Numbers of training images that are compared at once, default 20 million.

    Example:
        >>> nearest_indices(np.array([[0], [5], [9]]), np.array([[6], [0]])).tolist()
        [1, 0]
    """
    rows = images.reshape(len(images), -1).astype("float64")
    size = max(1, at_once // rows.shape[1])
    best, distance = np.zeros(len(rows), np.int64), np.full(len(rows), np.inf)
    for start in range(0, len(train), size):
        block = train[start : start + size].reshape(-1, rows.shape[1])
        found = nearest(block, rows)
        apart = np.linalg.norm(block[found] - rows, axis=1)
        best = np.where(apart < distance, start + found, best)
        distance = np.minimum(distance, apart)
    return best

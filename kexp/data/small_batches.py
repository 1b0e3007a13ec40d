"""Batches that are smaller where there are few samples, so that a training has enough steps."""

from __future__ import annotations

from dataclasses import replace

from kexp.core.options import DEFAULTS, TrainOptions
from kexp.data.dataset import Dataset

SMALLEST = 16  # samples of a batch: fewer give steps that are mostly noise


def small_batches(data: Dataset, train: TrainOptions, wanted_steps: int) -> tuple[Dataset, TrainOptions]:
    """Return options whose batches are halved until the epochs have so many steps, and data that say so.

    Args:
        data: What to train on; a note is added to it where batches become smaller.
        train: Training options; the batch size "auto" is left as it is.
        wanted_steps: Steps of the whole training that are wanted; 0 leaves the batch size as it is.

    Returns:
        Batches have 16 samples or more, unless `batch_size` is smaller.

    Example:
        >>> import kexp
        >>> data, train = small_batches(kexp.data.load("iris"), {"epochs": 40, "batch_size": 256}, 240)
        >>> train["batch_size"], data.notes[-1]
        (16, 'batches have 16 samples, not 256, to make 240 steps on 108; wanted_steps=0 keeps 256.')
    """
    asked = batch_size = train.get("batch_size", DEFAULTS["batch_size"])
    epochs, samples = train.get("epochs", DEFAULTS["epochs"]), len(data.train)
    if asked == "auto" or batch_size == "auto":
        return data, train
    while batch_size >= 2 * SMALLEST and epochs * -(-samples // batch_size) < wanted_steps:
        batch_size //= 2
    if batch_size == asked:
        return data, train
    note = (
        f"batches have {batch_size} samples, not {asked}, to make {wanted_steps:,} steps on {samples:,}; "
        f"wanted_steps=0 keeps {asked}."
    )
    return replace(data, notes=(*data.notes, note)), {**train, "batch_size": batch_size}

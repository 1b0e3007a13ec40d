"""Batches that are smaller where there are few samples, so that a training has enough steps."""

from __future__ import annotations

from typing import Literal

from kexp.core.options import DEFAULTS, TrainOptions

SMALLEST = 16  # samples of a batch: fewer give steps that are mostly noise


def batch_size_for(train: TrainOptions, rows: int, wanted_steps: int) -> int | Literal["auto"]:
    """Return the batch size of the options, halved until the epochs have so many steps, at 16 or more.

    Args:
        train: Training options; the batch size "auto" is left as it is.
        rows: Training samples.
        wanted_steps: Steps of the whole training that are wanted; 0 leaves the batch size as it is.

    Example:
        >>> from kexp.core.options import complete
        >>> train = complete({"epochs": 40, "batch_size": 256})
        >>> [batch_size_for(train, rows, 1000) for rows in (300, 2000, 34_000)]
        [16, 64, 256]
    """
    batch_size = train.get("batch_size", DEFAULTS["batch_size"])
    epochs = train.get("epochs", DEFAULTS["epochs"])
    if batch_size == "auto":
        return batch_size
    while batch_size >= 2 * SMALLEST and epochs * -(-rows // batch_size) < wanted_steps:
        batch_size //= 2
    return batch_size

"""The order of samples: a function of (seed, epoch), so that any step can be reached at once."""

from __future__ import annotations

import numpy as np


def epoch_order(samples: int, seed: int, epoch: int, shuffle: bool = True) -> np.ndarray:
    """Order in which one epoch visits the samples.

    Args:
        samples: Number of samples in the training part, below 2**31.
        seed: Seed of the run, 0 or more.
        epoch: Number of the epoch, from 0.
        shuffle: False for the order of the data itself; default True.

    Returns:
        (samples,) int32, every index once; the same numbers in every process.

    Example:
        >>> epoch_order(5, seed=0, epoch=1).tolist()
        [1, 4, 3, 0, 2]
        >>> epoch_order(5, seed=0, epoch=1, shuffle=False).tolist()
        [0, 1, 2, 3, 4]
    """
    if not shuffle:
        return np.arange(samples, dtype=np.int32)
    # A stream of its own for each epoch: nothing has to be replayed to resume in the middle of one.
    return np.random.default_rng([seed, epoch]).permutation(samples).astype(np.int32)


def batches(order: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Full batches of an order, and the uneven batch that is left.

    Args:
        order: (samples,) indices, as `epoch_order` gives them.
        batch_size: Samples per step, 1 or more.

    Returns:
        (steps, batch_size) views of the full batches, row k being step k of the epoch, and the tail of
        (0 to batch_size - 1,) indices.

    Example:
        >>> full, tail = batches(np.arange(5), batch_size=2)
        >>> full.tolist(), tail.tolist()
        ([[0, 1], [2, 3]], [4])
    """
    steps = len(order) // batch_size
    return order[: steps * batch_size].reshape(steps, batch_size), order[steps * batch_size :]

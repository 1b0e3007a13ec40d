"""The randomisation test: a map that stays when the weights are random tells nothing of the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np

from kexp.evaluation.explain.explained_model import is_float

LIMIT = 0.5  # correlation above which a map is not shown


@contextmanager
def randomised(model: keras.Model, seed: int) -> Iterator[None]:
    """Have all matrices of a model's weights shuffled in this block, each within itself.

    Shuffling keeps the distribution of the numbers, so that the network goes on to give numbers of the same
    size, and takes all that was learned. Biases and statistics of normalisation stay.

    Args:
        model: Any Keras model.
        seed: Of the shuffling.
    """
    generator = np.random.default_rng(seed)
    kept = [
        (weight, np.array(weight)) for weight in model.weights if len(weight.shape) > 1 and is_float(weight)
    ]
    try:
        for weight, value in kept:
            weight.assign(generator.permutation(value.ravel()).reshape(value.shape))
        yield
    finally:
        for weight, value in kept:
            weight.assign(value)


def rank_correlation(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> float | None:
    """Return the mean Spearman correlation of the absolute values of maps, sample by sample.

    Source: Adebayo et al. 2018, "Sanity Checks for Saliency Maps", with the absolute values.

    Args:
        before: A map for each sample.
        after: Those of the same samples with other weights.

    Returns:
        From -1 to 1; None where no sample has two maps that are not constant.

    Example:
        >>> rank_correlation([np.array([1.0, -2.0, 3.0])], [np.array([10.0, 20.0, 40.0])])
        1.0
    """
    from scipy.stats import rankdata

    found = []
    for one, other in zip(before, after, strict=True):
        ranks = [rankdata(np.abs(each).ravel()) for each in (one, other)]
        if all(np.ptp(rank) > 0 for rank in ranks):
            found.append(float(np.corrcoef(*ranks)[0, 1]))
    return round(float(np.mean(found)), 6) if found else None

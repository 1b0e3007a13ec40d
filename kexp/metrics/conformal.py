"""Split-conformal prediction: how far held-out scores reach at a level, whatever the model is.

Vovk, Gammerman and Shafer 2005; Angelopoulos and Bates 2021, "A Gentle Introduction to Conformal Prediction".
"""

from __future__ import annotations

import math

import numpy as np

from kexp.core.errors import InputError
from kexp.metrics.intervals import Interval

__all__ = ["conformal_quantile"]


def conformal_quantile(scores: np.ndarray, level: float) -> np.ndarray:
    """Return the smallest score that ceil((n + 1) level) of n held-out scores do not exceed.

    The score of another sample is no larger with a probability of at least the level, where that sample and
    those held out are exchangeable.

    Args:
        scores: (n, ...) of held-out samples, larger where truth and prediction are further apart.
        level: From above 0 to below 1.

    Returns:
        (...) of each column by itself.

    Raises:
        InputError: The level needs more samples.

    Example:
        >>> float(conformal_quantile(np.arange(1.0, 20.0), 0.9))
        18.0
        >>> conformal_quantile(np.arange(8.0), 0.9)
        Traceback (most recent call last):
        ...
        kexp.InputError: level 0.9 needs 9 validation samples or more; there are 8, so hold out more or lower
        the level.
    """
    require_samples(len(scores), level)
    return np.asarray(np.sort(scores, axis=0)[_rank(len(scores), level) - 1])


def coverage_by_chance(count: int, samples: int, level: float) -> Interval:
    """Return what the coverage of some samples is in 95 % of cases, if they are exchangeable with n held out.

    Of continuous scores the number that is covered has a beta-binomial distribution (Vovk 2012, "Conditional
    validity of inductive conformal predictors"; Angelopoulos and Bates 2021, section 3.2): both the held-out
    samples and those that are tested move it.

    Args:
        count: Held-out samples, n.
        samples: Samples that are tested.
        level: As of `conformal_quantile`.

    Example:
        >>> [tuple(round(end, 3) for end in coverage_by_chance(n, n, 0.9)) for n in (40, 400, 4000)]
        [(0.75, 1.0), (0.855, 0.938), (0.886, 0.913)]
    """
    from scipy.stats import betabinom

    rank = _rank(count, level)
    low, high = betabinom(samples, rank, count + 1 - rank).interval(0.95)
    return float(low / samples), float(high / samples)


def require_samples(count: int, level: float) -> None:
    """Refuse fewer held-out samples than a level needs.

    Raises:
        InputError: It says how many are needed.
    """
    needed = samples_needed(level)
    if count < needed:
        raise InputError(
            f"level {level:g} needs {needed} validation samples or more; there are {count}, so hold out more "
            "or lower the level."
        )


def samples_needed(level: float) -> int:
    """Return the fewest held-out samples whose largest score holds at a level.

    Example:
        >>> [samples_needed(level) for level in (0.5, 0.9, 0.95, 0.99)]
        [1, 9, 19, 99]
    """
    return math.ceil(round(level / (1 - level), 6))


def drawn_of_groups(groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return one row of each group, drawn by chance, in order (Dunn, Wasserman and Ramdas 2022).

    Rows of a group resemble one another, so that all of them would count one draw several times.

    Args:
        groups: (n,) what each row belongs to.
        seed: Of the draw, default 0.

    Example:
        >>> drawn_of_groups(np.array(["a", "a", "b"])).tolist() in ([0, 2], [1, 2])
        True
    """
    order = np.random.default_rng(seed).permutation(len(groups))
    _, first = np.unique(groups[order], return_index=True)
    return np.sort(order[first])


def _rank(count: int, level: float) -> int:
    # A product such as 10 * 0.9 may be a hair above the whole number that it is.
    return math.ceil(round((count + 1) * level, 6))

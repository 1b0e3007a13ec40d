"""Temperature scaling: the one number that logits are divided by, so that probabilities hold.

Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks".
"""

from __future__ import annotations

import numpy as np

from kexp.core.errors import InputError

__all__ = ["best_temperature"]

HIGHEST = 20.0  # and its inverse the lowest: beyond, softmax has long been even, or all or nothing


def best_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the temperature by which the true classes are the most probable, by Brent's method.

    The mean of their negative logarithms is convex in the inverse of the temperature.

    Args:
        logits: (samples, classes), or logarithms of probabilities.
        targets: (samples,) indices of the true classes.

    Returns:
        From 0.05 to 20.

    Raises:
        InputError: The largest logit is the true class of every sample, so that the lower the temperature,
            the better: none is best.

    Example:
        >>> logits = np.log([[0.99, 0.01]] * 10)
        >>> round(best_temperature(logits, np.array([0] * 9 + [1])), 2)  # that holds in 90 % of cases
        2.09
    """
    from scipy.optimize import minimize_scalar

    logits = np.asarray(logits, np.float64)
    if (logits.argmax(axis=1) == targets).all():
        raise InputError(
            f"calibrate needs validation samples that the network mistakes; all {len(targets)} are right, "
            "by which no temperature is the best, so hold out more."
        )
    found = minimize_scalar(
        lambda inverse: mean_log_loss(logits * inverse, targets),
        bounds=(1 / HIGHEST, HIGHEST),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(1 / found.x)


def mean_log_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean negative logarithm of the probabilities of the true classes, in nats.

    Example:
        >>> round(mean_log_loss(np.zeros((1, 2)), np.array([1])), 4)
        0.6931
    """
    from scipy.special import log_softmax

    return float(-log_softmax(logits, axis=1)[np.arange(len(targets)), targets].mean())

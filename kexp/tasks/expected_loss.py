"""Expected losses: what a model that knows nothing starts at, and what a constant output scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FirstLoss", "constant_loss", "first_loss", "smoothed_entropy"]


@dataclass(frozen=True)
class FirstLoss:
    """The loss that a model should start at, and what it means to be off.

    Attributes:
        value: The loss.
        text: Where it is from, for a finding.
        advice: What to do about a model that starts far above it.
        is_knowledge_below: Half of it or less is a sign that the model knows the targets already.
        is_hopeless_above: Ten times of it or more is a problem, not just a warning.
    """

    value: float
    text: str
    advice: str
    is_knowledge_below: bool
    is_hopeless_above: bool


def first_loss(loss: Any, outputs: int, targets: np.ndarray) -> FirstLoss | None:
    """Return the loss that a model should start at; None for a loss of which nothing is known.

    Args:
        loss: A Keras loss, or anything else.
        outputs: How many classes or numbers the model gives.
        targets: (samples, ...) of the training split.

    Example:
        >>> import keras
        >>> first_loss(keras.losses.SparseCategoricalCrossentropy(), 10, np.zeros(5, int)).text
        'ln 10 = 2.303 if nothing is known'
    """
    if _is_crossentropy(loss):
        return chance(outputs)
    if _is_binary(loss):
        return chance(2)
    variance = constant_loss(loss, targets)
    if variance is None:
        return None
    mean, deviation = float(targets.mean()), float(targets.std(dtype=np.float64))
    return FirstLoss(
        variance,
        f"the variance of the targets, which is what their mean scores, is {variance:.4g}",
        f"have the model start at the mean {mean:.4g}, and its outputs spread by {deviation:.4g}",
        is_knowledge_below=False,
        is_hopeless_above=False,
    )


def chance(choices: int) -> FirstLoss:
    """Return the cross-entropy of a uniform guess among so many choices, in nats.

    Karpathy 2019, "A recipe for training neural networks".

    Example:
        >>> round(chance(2).value, 4)
        0.6931
    """
    expected = math.log(choices)
    return FirstLoss(
        expected,
        f"ln {choices} = {expected:.4g} if nothing is known",
        "scale the inputs, or the initial weights of the last layer, down",
        is_knowledge_below=True,
        is_hopeless_above=True,
    )


def constant_loss(loss: Any, targets: np.ndarray) -> float | None:
    """Return what the best constant output scores: of squared errors the variance, of others None.

    Example:
        >>> import keras
        >>> constant_loss(keras.losses.MeanSquaredError(), np.array([[1.0], [3.0]]))
        1.0
    """
    import keras

    return float(targets.var(axis=0).mean()) if isinstance(loss, keras.losses.MeanSquaredError) else None


def smoothed_entropy(label_smoothing: float, classes: int) -> float:
    """Return the cross-entropy, in nats, of predictions that are the smoothed labels themselves.

    Example:
        >>> smoothed_entropy(0.0, 10), round(smoothed_entropy(0.1, 2), 4)
        (0.0, 0.1985)
    """
    if not label_smoothing:
        return 0.0
    rest = label_smoothing / classes
    main = 1 - label_smoothing + rest
    return float(-main * np.log(main) - (classes - 1) * rest * np.log(rest))


def _is_crossentropy(loss: Any) -> bool:
    import keras

    from kexp.metrics.training.crossentropy import Crossentropy

    known = (
        Crossentropy,
        keras.losses.SparseCategoricalCrossentropy,
        keras.losses.CategoricalCrossentropy,
    )
    return isinstance(loss, known)


def _is_binary(loss: Any) -> bool:
    import keras

    return isinstance(loss, keras.losses.BinaryCrossentropy)

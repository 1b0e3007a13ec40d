"""Label errors by confident learning: samples whose given class a model without them holds for unlikely."""

from __future__ import annotations

import numpy as np

from kexp.core.errors import InputError


def label_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the positions of all samples, those most likely to have a wrong label first.

    They go by self-confidence, the probability of the given class; `estimated_label_errors` says how many of
    the first ones to look at.

    Args:
        labels: (samples,) class indices as they are given.
        probabilities: (samples, classes) out-of-fold: each by a model that was not fitted to the sample.

    Returns:
        (samples,) positions.

    Raises:
        InputError: The shapes do not go together, or a label is not the index of a class.

    Source:
        Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in dataset labels",
        Journal of Artificial Intelligence Research 70.

    Example:
        >>> import kexp
        >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.05, 0.95], [0.1, 0.9]])
        >>> kexp.preflight.label_errors(np.array([0, 0, 0, 1]), probabilities).tolist()
        [2, 1, 0, 3]
    """
    _require_probabilities(labels, probabilities)
    return np.argsort(probabilities[np.arange(len(labels)), labels], kind="stable")


def estimated_label_errors(labels: np.ndarray, probabilities: np.ndarray) -> int:
    """Return how many labels are wrong, by the confident joint of given and likely classes.

    A sample counts for the most probable of the classes whose probability for it is at least what samples of
    that class have on average; it is an error where that is not the given class. Counts are scaled to the
    samples that each given class has.

    Args:
        labels: (samples,) class indices as they are given.
        probabilities: (samples, classes) out-of-fold.

    Raises:
        InputError: The shapes do not go together, or a label is not the index of a class.

    Source:
        Northcutt, Jiang and Chuang 2021, section 3.1.

    Example:
        >>> import kexp
        >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.05, 0.95], [0.1, 0.9]])
        >>> kexp.preflight.estimated_label_errors(np.array([0, 0, 0, 1]), probabilities)
        1
    """
    _require_probabilities(labels, probabilities)
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    own = np.bincount(labels, probabilities[np.arange(len(labels)), labels], minlength=classes)
    thresholds = np.where(counts > 0, own / np.maximum(counts, 1), np.inf)
    above = np.where(probabilities >= thresholds, probabilities, -1)
    confident = above.max(axis=1) >= 0
    joint = np.zeros((classes, classes))  # (given, likely)
    np.add.at(joint, (labels[confident], above.argmax(axis=1)[confident]), 1)
    shares = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1)
    return round(float((counts * (1 - np.diag(shares)))[joint.sum(axis=1) > 0].sum()))


def _require_probabilities(labels: np.ndarray, probabilities: np.ndarray) -> None:
    if np.ndim(probabilities) != 2 or np.shape(labels) != np.shape(probabilities)[:1]:
        raise InputError(
            "probabilities must be (samples, classes) for (samples,) labels; received "
            f"{np.shape(probabilities)} for {np.shape(labels)}, so give a row for each label."
        )
    if labels.dtype.kind not in "iu" or not ((labels >= 0) & (labels < probabilities.shape[1])).all():
        raise InputError(
            f"labels must be class indices within 0..{probabilities.shape[1] - 1}, the columns of "
            f"probabilities; received {labels.dtype} from {labels.min()} to {labels.max()}, so count from 0."
        )

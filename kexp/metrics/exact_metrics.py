"""Exact metrics of predictions: on all samples of a split at once, as scikit-learn computes them.

A metric that a split does not define, such as the area under a curve where it has one class alone, is left
out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kexp.metrics.class_suffixes import class_suffixes

__all__ = [
    "best_thresholds",
    "binary_metrics",
    "multiclass_metrics",
    "multilabel_metrics",
    "regression_metrics",
]

KNOWN_HIGHER = ("map",)
KNOWN_LOWER = ("brier",)
SHARES = ("map",)
NOT_NEGATIVE = ("brier",)
BINARY = ("accuracy", "balanced_accuracy", "auroc", "average_precision", "f1", "log_loss", "brier")
MULTICLASS = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss")
MULTILABEL = ("map", "micro_f1", "macro_f1", "subset_accuracy")
REGRESSION = ("root_mean_squared_error", "mean_absolute_error", "r2")
_MOST_TARGETS = 32  # that have metrics of their own


def binary_metrics(targets: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return the metrics of a choice between two classes, of which the second is the positive one.

    Args:
        targets: (samples,) 0 or 1.
        probabilities: (samples, 2), rows that sum to one; the more probable class is the prediction.

    Returns:
        `accuracy`; `balanced_accuracy`, the mean recall of the classes; `auroc`, the area under the receiver
        operating characteristic; `average_precision`; `f1`; `log_loss` in nats; and `brier`, the mean squared
        error of the probability (Brier 1950). The last two and `accuracy` alone where all samples are of one
        class; none where a probability is not finite.

    Example:
        >>> found = binary_metrics(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))
        >>> {name: round(value, 3) for name, value in found.items()}  # doctest: +NORMALIZE_WHITESPACE
        {'accuracy': 0.667, 'balanced_accuracy': 0.75, 'auroc': 1.0, 'average_precision': 1.0, 'f1': 0.667,
         'log_loss': 0.415, 'brier': 0.137}
    """
    from sklearn import metrics

    shares = _normalised(probabilities)
    if shares is None:
        return {}
    positive, chosen = shares[:, 1], np.asarray(probabilities).argmax(axis=1)
    found = {"accuracy": metrics.accuracy_score(targets, chosen)}
    if len(np.unique(targets)) == 2:
        found |= {
            "balanced_accuracy": metrics.balanced_accuracy_score(targets, chosen),
            "auroc": metrics.roc_auc_score(targets, positive),
            "average_precision": metrics.average_precision_score(targets, positive),
            "f1": metrics.f1_score(targets, chosen, zero_division=0),
        }
    found["log_loss"] = metrics.log_loss(targets, shares, labels=[0, 1])
    found["brier"] = np.mean(np.square(positive - targets))
    return _floats(found)


def multiclass_metrics(targets: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return the metrics of a choice among three classes or more.

    Args:
        targets: (samples,) class indices.
        probabilities: (samples, classes), rows that sum to one; the most probable class is the prediction.

    Returns:
        `accuracy`; `balanced_accuracy`, the mean recall of the classes that there are; `macro_f1`, the mean
        F1 of the classes; `auroc`, the mean area under the receiver operating characteristic of each class
        against the others, where all classes have samples; and `log_loss` in nats. None where a probability
        is not finite.

    Example:
        >>> found = multiclass_metrics(np.array([0, 1, 2]), np.eye(3) * 0.7 + 0.1)
        >>> {name: round(value, 3) for name, value in found.items()}
        {'accuracy': 1.0, 'balanced_accuracy': 1.0, 'macro_f1': 1.0, 'auroc': 1.0, 'log_loss': 0.223}
    """
    from sklearn import metrics

    shares = _normalised(probabilities)
    if shares is None:
        return {}
    classes, chosen = shares.shape[1], np.asarray(probabilities).argmax(axis=1)
    present = np.unique(targets)
    found = {
        "accuracy": metrics.accuracy_score(targets, chosen),
        # As balanced_accuracy_score, which warns of predictions of other classes.
        "balanced_accuracy": metrics.recall_score(
            targets, chosen, labels=present, average="macro", zero_division=0
        ),
        "macro_f1": metrics.f1_score(targets, chosen, average="macro", zero_division=0),
    }
    if len(present) == classes:
        found["auroc"] = metrics.roc_auc_score(np.eye(classes, dtype=bool)[targets], shares, average="macro")
    found["log_loss"] = metrics.log_loss(targets, shares, labels=np.arange(classes))
    return _floats(found)


def multilabel_metrics(
    targets: np.ndarray, probabilities: np.ndarray, thresholds: Sequence[float] = ()
) -> dict[str, float]:
    """Return the metrics of any number of labels for each sample.

    Args:
        targets: (samples, labels), 1 where a sample has a label and 0 where not.
        probabilities: (samples, labels), from 0 to 1.
        thresholds: Probability above which each label is given; default: 0.5 for all.

    Returns:
        `map`, the mean average precision of the labels that a sample has; `micro_f1` of all labels together;
        `macro_f1`, the mean F1 of the labels; and `subset_accuracy`, the share of samples with exactly their
        labels. The last alone where no sample has a label; none where a probability is not finite.

    Example:
        >>> found = multilabel_metrics(np.array([[1, 0], [1, 1]]), np.array([[0.9, 0.2], [0.4, 0.8]]))
        >>> {name: round(value, 3) for name, value in found.items()}
        {'map': 1.0, 'micro_f1': 0.8, 'macro_f1': 0.833, 'subset_accuracy': 0.5}
    """
    from sklearn import metrics

    if not np.isfinite(probabilities).all():
        return {}
    truth = np.asarray(targets) > 0.5
    given = probabilities > np.asarray(thresholds or 0.5, np.float32)
    there = truth.any(axis=0)
    found = {}
    if there.any():
        found = {
            "map": metrics.average_precision_score(truth[:, there], probabilities[:, there], average="macro"),
            "micro_f1": metrics.f1_score(truth, given, average="micro", zero_division=0),
            "macro_f1": metrics.f1_score(truth, given, average="macro", zero_division=0),
        }
    return _floats({**found, "subset_accuracy": np.mean((truth == given).all(axis=1))})


def regression_metrics(
    targets: np.ndarray, values: np.ndarray, names: Sequence[str] = ()
) -> dict[str, float]:
    """Return the metrics of numbers, of several targets for each and for all together.

    Args:
        targets: (samples, outputs).
        values: (samples, outputs) predictions.
        names: Of several targets, for the metrics of each, which is left out for more than 32; default: their
            indices.

    Returns:
        `root_mean_squared_error` and `mean_absolute_error` over all numbers; `r2`, the share of the variance
        that is explained, in the mean over the targets; and each with `_` and the name of a target. `r2` is
        left out where a target does not vary; all are where a number is not finite.

    Example:
        >>> found = regression_metrics(np.array([[1.0, 5.0], [3.0, 9.0]]), np.array([[1.0, 6.0], [3.0, 8.0]]))
        >>> found["r2"], found["mean_absolute_error"], found["mean_absolute_error_1"]
        (0.875, 0.5, 1.0)
    """
    if not (np.isfinite(values).all() and np.isfinite(targets).all()):
        return {}
    truth, answers = np.asarray(targets, np.float64), np.asarray(values, np.float64)
    found = _of_numbers(truth, answers)
    if 1 < truth.shape[1] <= _MOST_TARGETS:
        for index, suffix in enumerate(class_suffixes(names or range(truth.shape[1]))):
            each = _of_numbers(truth[:, [index]], answers[:, [index]])
            found |= {f"{name}_{suffix}": value for name, value in each.items()}
    return _floats(found)


def regression_names(outputs: int, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of all that `regression_metrics` may give for so many targets.

    Example:
        >>> regression_names(2, ("height", "weight"))[2:5]
        ('r2', 'root_mean_squared_error_height', 'mean_absolute_error_height')
    """
    several = class_suffixes(names or range(outputs)) if 1 < outputs <= _MOST_TARGETS else ()
    return (*REGRESSION, *(f"{name}_{suffix}" for suffix in several for name in REGRESSION))


def _of_numbers(truth: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    from sklearn import metrics

    found = {
        "root_mean_squared_error": np.sqrt(metrics.mean_squared_error(truth, answers)),
        "mean_absolute_error": metrics.mean_absolute_error(truth, answers),
    }
    if len(truth) > 1 and (np.ptp(truth, axis=0) > 0).all():
        found["r2"] = metrics.r2_score(truth, answers)
    return found


def best_thresholds(targets: np.ndarray, probabilities: np.ndarray) -> tuple[float, ...]:
    """Return for each label the probability above which giving it has the largest F1.

    It lies in the middle between two probabilities of samples, or is 0.5 where that does as well; and it is
    0.5 where no sample has the label (Lipton, Elkan and Naryanaswamy 2014, "Optimal thresholding of
    classifiers to maximize F1 measure").

    Args:
        targets: (samples, labels), 1 where a sample has a label and 0 where not.
        probabilities: (samples, labels), from 0 to 1.

    Example:
        >>> targets = np.array([[0, 1], [1, 0], [1, 0]])
        >>> best_thresholds(targets, np.array([[0.1, 0.7], [0.3, 0.2], [0.9, 0.1]]))
        (0.20000000298023224, 0.5)
    """
    return tuple(
        _best_threshold(np.asarray(targets)[:, label] > 0.5, np.asarray(probabilities)[:, label])
        for label in range(np.shape(targets)[1])
    )


def _best_threshold(truth: np.ndarray, scores: np.ndarray) -> float:
    if not truth.any() or not np.isfinite(scores).all():
        return 0.5
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order].astype(np.float64), np.cumsum(truth[order])
    given = np.arange(1, len(ranked) + 1)
    lower = np.append(ranked[1:], 0.0)  # the best score that is not given
    f1 = np.where(ranked > lower, 2 * hits / (given + truth.sum()), -1.0)
    best = int(f1.argmax())
    if lower[best] <= 0.5 < ranked[best]:
        return 0.5
    # As float32, which is what an export compares with.
    return float(np.float32((lower[best] + ranked[best]) / 2))


def _normalised(probabilities: np.ndarray) -> np.ndarray | None:
    """Return rows that sum to one as float64, None if they are no probabilities."""
    shares = np.asarray(probabilities, np.float64)
    sums = shares.sum(axis=-1, keepdims=True)
    if not np.isfinite(shares).all() or (shares < 0).any() or not (sums > 0).all():
        return None
    return shares / sums


def _floats(found: dict[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in found.items()}

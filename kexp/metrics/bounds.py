"""Bounds of a metric: the values between which it lies, whatever is measured."""

from __future__ import annotations

import math

from kexp.metrics.stated_names import names_within, stated_names

__all__ = ["UNBOUNDED", "metric_bounds"]

Bounds = tuple[float, float]
UNBOUNDED: Bounds = (-math.inf, math.inf)

# Of Keras's, of scikit-learn's and of users' own; of kexp's the file of each metric says it. From 0 to 1:
SHARES = (
    *("acc", "accuracy", "auc", "average_precision", "bleu", "dice", "f1", "precision", "recall"),
    *("sensitivity", "specificity"),
)
# 0 or more:
NOT_NEGATIVE = (
    *("crossentropy", "kl_divergence", "logcosh", "log_loss", "mae", "mape", "mse", "msle", "rmse"),
    *("mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error"),
    *("mean_squared_logarithmic_error", "root_mean_squared_error"),
)
_ONE_AT_MOST = ("r2",)


def metric_bounds(metric: str) -> Bounds:
    """Return the lowest and the highest value that a metric can have, by its name; infinite where not known.

    Args:
        metric: Its name, with or without a prefix. It has bounds if one of the names that the files of
            kexp.metrics have as `SHARES` or `NOT_NEGATIVE` stands in it as whole words.

    Example:
        >>> metric_bounds("test_macro_f1"), metric_bounds("val_log_loss"), metric_bounds("test_r2")
        ((0.0, 1.0), (0.0, inf), (-inf, 1.0))
        >>> metric_bounds("val_loss"), metric_bounds("neg_mean_squared_error")
        ((-inf, inf), (-inf, inf))
    """
    if names_within(metric, frozenset(stated_names("NOT_NEGATIVE"))):
        return 0.0, math.inf
    if names_within(metric, frozenset(stated_names("SHARES"))):
        return 0.0, 1.0
    return (-math.inf, 1.0) if names_within(metric, frozenset(_ONE_AT_MOST)) else UNBOUNDED

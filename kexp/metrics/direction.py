"""Direction of a metric: whether more or less of it is better."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Literal

from kexp.core.errors import InputError
from kexp.core.keras_private import direction_of
from kexp.metrics.stated_names import names_within, stated_names

if TYPE_CHECKING:
    import keras

__all__ = [
    "Direction",
    "better",
    "known_direction",
    "required_direction",
    "signed_metric",
    "stated_directions",
]

Direction = Literal["max", "min"]

# In the names of Keras's, of scikit-learn's and of users' own; of kexp's the file of each metric says it.
HIGHER_IS_BETTER = ("acc", "auc", "bleu", "dice", "f1", "precision", "r2", "recall", "score", "similarity")
# Names, or words in a row within a name, that leave no doubt; files of kexp's metrics have such lists too.
KNOWN_HIGHER = (
    *("acc", "accuracy", "auc", "bleu", "cosine_similarity", "dice", "f1", "precision", "r2", "recall"),
    *("sensitivity", "specificity"),
)
KNOWN_LOWER = (
    *(
        "crossentropy",
        "hinge",
        "kl",
        "kl_divergence",
        "logcosh",
        "loss",
        "mae",
        "mape",
        "mse",
        "msle",
        "rmse",
    ),
    *("mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error"),
    *("mean_squared_logarithmic_error", "negative_elbo", "negative_importance_weighted_bound"),
    "reconstruction",
)


def better(metric: str) -> Direction:
    """Return whether more or less of a metric is better, by its name.

    Args:
        metric: Its name, with or without a prefix. It rises if it holds one of the words that the files of
            kexp.metrics have as `HIGHER_IS_BETTER`.

    Example:
        >>> better("test_accuracy"), better("val_mean_iou"), better("val_loss")
        ('max', 'max', 'min')
    """
    known = known_direction(metric)
    return known or (
        "max" if any(word in metric.lower() for word in stated_names("HIGHER_IS_BETTER")) else "min"
    )


def known_direction(metric: str) -> Direction | None:
    """Return whether more or less of a metric is better, None where its name leaves a doubt.

    Args:
        metric: Its name, with or without a prefix. It is known if one of those that the files of kexp.metrics
            have as `KNOWN_HIGHER` and `KNOWN_LOWER` stands in it as whole words, and none of the other list.

    Example:
        >>> known_direction("val_AUROC"), known_direction("test_log_loss"), known_direction("val_my_error")
        ('max', 'min', None)
    """
    directions = {_known()[name] for name in names_within(metric, frozenset(_known()))}
    return directions.pop() if len(directions) == 1 else None


def required_direction(argument: str, metric: str, direction: Direction | None) -> Direction:
    """Return the direction of a metric that an argument names, once it is known.

    Args:
        argument: That takes a sign before the name of its metric.
        metric: Its name.
        direction: What is known; None: nothing.

    Raises:
        InputError: It is not known.

    Example:
        >>> required_direction("monitor", "val_auroc", "max")
        'max'
    """
    if direction is None:
        raise InputError(
            f"{argument}: whether more or less of {metric} is better is not known; give '+{metric}' for more "
            f"or '-{metric}' for less."
        )
    return direction


def signed_metric(text: str) -> tuple[str, Direction | None]:
    """Return the name of a metric and the direction that a sign before it says, None without one.

    Example:
        >>> signed_metric("-val_my_error"), signed_metric("+val_gain"), signed_metric("val_auroc")
        (('val_my_error', 'min'), ('val_gain', 'max'), ('val_auroc', None))
    """
    signs: dict[str, Direction] = {"-": "min", "+": "max"}
    direction = signs.get(text[:1])
    return (text if direction is None else text[1:]), direction


def stated_directions(metrics: Iterable[keras.metrics.Metric]) -> dict[str, Direction]:
    """Return the directions of those Keras metrics that state one, by name.

    Example:
        >>> import keras
        >>> stated_directions([keras.metrics.RootMeanSquaredError(), keras.metrics.Mean(name="mean")])
        {'root_mean_squared_error': 'min'}
    """
    stated = {metric.name: direction_of(metric) for metric in metrics}
    return {name: direction for name, direction in stated.items() if direction is not None}


@cache
def _known() -> dict[str, Direction]:
    higher, lower = stated_names("KNOWN_HIGHER"), stated_names("KNOWN_LOWER")
    return {**dict.fromkeys(higher, "max"), **dict.fromkeys(lower, "min")}

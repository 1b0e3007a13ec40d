"""Direction of a metric: whether more or less of it is better."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kexp.core.keras_private import direction_of

if TYPE_CHECKING:
    import keras

__all__ = ["Direction", "better", "stated_directions"]

Direction = Literal["max", "min"]

# In the names of Keras's, of scikit-learn's and of users' own; of kexp's the file of each metric says it.
HIGHER_IS_BETTER = ("acc", "auc", "bleu", "dice", "f1", "precision", "r2", "recall", "score", "similarity")


def better(metric: str) -> Direction:
    """Return whether more or less of a metric is better, by its name.

    Args:
        metric: Its name, with or without a prefix. It rises if it holds one of the words that the files of
            kexp.metrics have as `HIGHER_IS_BETTER`.

    Example:
        >>> better("test_accuracy"), better("val_mean_iou"), better("val_loss")
        ('max', 'max', 'min')
    """
    return "max" if any(word in metric for word in _rising()) else "min"


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
def _rising() -> tuple[str, ...]:
    return tuple(word for path in sorted(Path(__file__).parent.rglob("*.py")) for word in _words(path))


def _words(path: Path) -> Iterator[str]:
    """Yield what a file says of its metrics; some import Keras, and the command line asks, so it is read."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HIGHER_IS_BETTER":
            yield from ast.literal_eval(node.value)

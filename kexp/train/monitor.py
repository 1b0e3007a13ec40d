"""The monitor of a run: the metric that chooses the epoch whose weights are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import keras

from kexp.metrics.direction import Direction

LAST = "last"  # as the option `monitor` has it


@dataclass(frozen=True)
class Monitor:
    """What the best epoch is chosen by.

    Attributes:
        name: Of a metric of every epoch; where an epoch has none of it the last one counts. None: the last.
        mode: Whether the best is the "max" or the "min" of it.
        asked: The caller named it, so that an epoch must have it.
    """

    name: str | None
    mode: Direction
    asked: bool = False


def restoring(callbacks: Iterable[keras.callbacks.Callback]) -> list[keras.callbacks.EarlyStopping]:
    """Return the callbacks that choose an epoch themselves, and put its weights back at the end of training.

    Example:
        >>> restoring([keras.callbacks.EarlyStopping()])
        []
    """
    stopping = (one for one in callbacks if isinstance(one, keras.callbacks.EarlyStopping))
    return [one for one in stopping if one.restore_best_weights]

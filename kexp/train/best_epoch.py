"""The best epoch so far: which one it is by the monitor, and its weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kexp.core.errors import InputError, nearest
from kexp.train.monitor import Monitor
from kexp.train.position import Position


class BestEpoch:
    """Keeps the weights of the best epoch.

    Args:
        monitor: What epochs are compared by.

    Attributes:
        weights: Of the best epoch; None before there is one.
    """

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.weights: list[np.ndarray] | None = None

    def update(
        self, position: Position, metrics: dict[str, float], weights: Callable[[], list[np.ndarray]]
    ) -> None:
        """Compare an epoch with the best one before it, and keep it if it is better.

        Args:
            position: Of the run, which says what was best.
            metrics: Of the epoch, which is not in its history yet.
            weights: Gives those of the model.

        Raises:
            InputError: The epoch has no such metric.
        """
        monitor = self.monitor
        if monitor.name is None or (monitor.name not in metrics and not monitor.asked):
            return
        if monitor.name not in metrics:
            raise InputError(
                f"monitor must be a metric of an epoch, {', '.join(metrics)}; received {monitor.name!r}"
                f"{nearest(monitor.name, metrics)}."
            )
        sign = 1.0 if monitor.mode == "max" else -1.0
        # Accuracy on few samples ties often; the lower loss decides then, not the earlier epoch.
        value = [sign * metrics[monitor.name], -metrics.get("val_loss", 0.0)]
        if np.isnan(value).any():  # nothing is better than NaN, as far as comparisons go
            value = [-np.inf, -np.inf]
        if position.best_value is None or value > position.best_value:
            position.best_epoch, position.best_value = len(position.history) + 1, value
            position.waited_epochs = 0
            self.weights = [np.copy(weight) for weight in weights()]
        else:
            position.waited_epochs += 1

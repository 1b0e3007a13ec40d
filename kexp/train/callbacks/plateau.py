"""Learning rate reduction when a metric stops getting better."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import keras
import numpy as np

from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.errors import InputError
from kexp.metrics.direction import better
from kexp.train.schedules import scale_learning_rate

__all__ = ["Plateau"]


class Plateau(keras.callbacks.Callback):
    """Lowers the learning rate when a metric stops getting better.

    Args:
        monitor: A metric of the epoch; "loss" takes its place as long as there is none of that name.
        factor: What the learning rate is multiplied by, default 0.5, from 0.001 to 0.999.
        patience: Epochs without a better metric before that, default 3, 1 or more.
        min_delta: A metric counts as better if it is so by more than this, default 1e-4.
        cooldown: Epochs after lowering that are not counted, default 0.
        minimum: Learning rate below which nothing is lowered, default 1e-7.
        mode: Whether higher ("max") or lower ("min") is better; "auto" tells from the name.

    Raises:
        InputError: An argument does not fit; or, at the end of an epoch, it has no such metric; or
            the learning rate is a schedule other than kexp's.

    Example:
        >>> from kexp.train.schedules import Schedule
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(Schedule("plateau", peak=0.5, steps=100)))
        >>> callback = Plateau(patience=2)
        >>> callback.set_model(model)
        >>> callback.on_train_begin()
        >>> for epoch in range(3):
        ...     callback.on_epoch_end(epoch, {"val_loss": 1.0})
        >>> float(model.optimizer.learning_rate)
        0.25
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        factor: float = 0.5,
        patience: int = 3,
        min_delta: float = 1e-4,
        cooldown: int = 0,
        minimum: float = 1e-7,
        mode: Literal["auto", "min", "max"] = "auto",
    ) -> None:
        super().__init__()
        self.monitor = monitor
        self.factor = check_value("factor", factor, Annotated[float, Between(0.001, 0.999)])
        self.patience = check_value("patience", patience, Annotated[int, AtLeast(1)])
        self.min_delta = check_value("min_delta", min_delta, Annotated[float, AtLeast(0.0)])
        self.cooldown = check_value("cooldown", cooldown, Annotated[int, AtLeast(0)])
        self.minimum = check_value("minimum", minimum, Annotated[float, AtLeast(0.0)])
        self.mode = check_value("mode", mode, Literal["auto", "min", "max"])
        self._start()

    def _start(self) -> None:
        self._metric: str | None = None  # which one `best` is of
        self._best: float | None = None  # higher is better
        self._waited = 0
        self._cooling = 0

    def get_state(self) -> dict[str, Any]:
        """Return what is remembered; the learning rate is the optimizer's."""
        return {"figure": self._metric, "best": self._best, "waited": self._waited, "cooling": self._cooling}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` returned."""
        self._metric, self._best = state["figure"], state["best"]
        self._waited, self._cooling = state["waited"], state["cooling"]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._start()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        value = self._value(logs or {})
        if value is None:
            return
        cooling, self._cooling = self._cooling > 0, max(0, self._cooling - 1)
        if self._best is None or value > self._best + self.min_delta:
            self._best, self._waited = (None if np.isnan(value) else value), 0
        elif not cooling:
            self._waited += 1
        if self._waited >= self.patience:
            self._lower()

    def _value(self, logs: dict[str, Any]) -> float | None:
        """Return the metric so that higher is better; None if this epoch was not validated."""
        metric = self.monitor if self.monitor in logs else "loss"
        if metric != self.monitor and self._metric == self.monitor:
            return None
        if metric not in logs:
            raise InputError(
                f"monitor must be a metric of the epoch, one of {sorted(logs)}; received {self.monitor!r}."
            )
        if metric != self._metric:
            self._metric, self._best, self._waited = metric, None, 0
        return float(logs[metric]) if self._rises(metric) else -float(logs[metric])

    def _rises(self, metric: str) -> bool:
        if self.mode == "auto" or metric != self.monitor:
            return better(metric) == "max"
        return self.mode == "max"

    def _lower(self) -> None:
        self._waited, self._cooling = 0, self.cooldown
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        if rate > self.minimum:
            scale_learning_rate(self.model.optimizer, max(self.factor, self.minimum / rate))

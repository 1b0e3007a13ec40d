"""Callbacks that Keras lacks, or has in a form that cannot be continued exactly.

Each works in a bare `model.fit`, and hands over what it has to remember: `get_state()` is JSON values,
NumPy arrays and lists of these; after `on_train_begin`, `set_state(state)` makes as if the run had never
been interrupted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, Literal

import keras
import numpy as np

from kexp.errors import InputError
from kexp.models.layers import batch_normalizations
from kexp.ranges import AtLeast, Between, check_value
from kexp.train.sample_grids import SampleGrids
from kexp.train.schedules import scale_learning_rate

__all__ = ["ExponentialAverage", "Plateau", "SampleGrids", "StochasticWeightAveraging"]

_HIGHER_IS_BETTER = ("acc", "auc", "precision", "recall", "f1", "iou", "r2", "bleu", "similarity")


class Plateau(keras.callbacks.Callback):
    """Lowers the learning rate when a figure stops getting better.

    Args:
        monitor: A figure of the epoch; "loss" takes its place as long as there is none of that name.
        factor: What the learning rate is multiplied by, default 0.5, from 0.001 to 0.999.
        patience: Epochs without a better figure before that, default 3, 1 or more.
        min_delta: A figure counts as better if it is so by more than this, default 1e-4.
        cooldown: Epochs after lowering that are not counted, default 0.
        minimum: Learning rate below which nothing is lowered, default 1e-7.
        mode: Whether higher ("max") or lower ("min") is better; "auto" tells from the name.

    Raises:
        InputError: An argument does not fit; or, at the end of an epoch, it has no such figure; or
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
        self._figure: str | None = None  # which one `best` is of
        self._best: float | None = None  # higher is better
        self._waited = 0
        self._cooling = 0

    def get_state(self) -> dict[str, Any]:
        """Return what is remembered; the learning rate is the optimizer's."""
        return {"figure": self._figure, "best": self._best, "waited": self._waited, "cooling": self._cooling}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` returned."""
        self._figure, self._best = state["figure"], state["best"]
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
        """Return the figure so that higher is better; None if this epoch was not validated."""
        figure = self.monitor if self.monitor in logs else "loss"
        if figure != self.monitor and self._figure == self.monitor:
            return None
        if figure not in logs:
            raise InputError(
                f"monitor must be a figure of the epoch, one of {sorted(logs)}; received {self.monitor!r}."
            )
        if figure != self._figure:
            self._figure, self._best, self._waited = figure, None, 0
        return float(logs[figure]) if self._rises(figure) else -float(logs[figure])

    def _rises(self, figure: str) -> bool:
        if self.mode == "auto" or figure != self.monitor:
            return any(part in figure for part in _HIGHER_IS_BETTER)
        return self.mode == "max"

    def _lower(self) -> None:
        self._waited, self._cooling = 0, self.cooldown
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        if rate > self.minimum:
            scale_learning_rate(self.model.optimizer, max(self.factor, self.minimum / rate))


class _Averaging(keras.callbacks.Callback, ABC):
    """Has an average of the weights validated, and leaves it in the model at the end of training."""

    def __init__(self) -> None:
        super().__init__()
        self._training = False  # so that `model.evaluate` alone measures the model as it is
        self._raw: list[np.ndarray] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._training, self._raw = True, None

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._training and self._there_is_one():
            # Copies: Keras's SwapEMAWeights swaps by adding and subtracting, which rounds, so that
            # training would go on from other weights than it came to.
            self._raw = _copies(self.model.weights)
            self._put_in()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._raw is not None:
            _assign(self.model.weights, self._raw)
            self._raw = None

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._training = False
        if self._there_is_one():
            self._put_in()

    @abstractmethod
    def _there_is_one(self) -> bool:
        """Return whether there is an average yet."""

    @abstractmethod
    def _put_in(self) -> None:
        """Put the average into the model."""


class ExponentialAverage(_Averaging):
    """Validates, and keeps at the end, the moving average of the weights that the optimizer computes.

    The optimizer needs `use_ema=True`. After each validation the model has its own weights again, bit
    for bit.

    Raises:
        InputError: At the beginning of training: the optimizer computes no average.

    Source:
        Polyak and Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging".

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), loss="mse")
        >>> data = np.ones((8, 1), "float32")
        >>> history = model.fit(data, data, verbose=0, callbacks=[ExponentialAverage()])
    """

    def get_state(self) -> dict[str, Any]:
        """Return nothing: the average is the optimizer's."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on; there is nothing to remember."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        if not optimizer.use_ema:
            raise InputError(
                "optimizer must compute a moving average for ExponentialAverage; "
                f"received {type(optimizer).__name__} without one, so make it with use_ema=True."
            )

    def _there_is_one(self) -> bool:
        # Before the first step it is all zeros.
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)) > 0

    def _put_in(self) -> None:
        optimizer = self.model.optimizer
        # What it changes, which of several players is the one that makes the answers.
        optimizer.finalize_variable_values(
            getattr(optimizer, "inner_optimizer", optimizer)._trainable_variables
        )


class StochasticWeightAveraging(_Averaging):
    """Validates, and keeps at the end, the mean of the weights at the end of each epoch from one on.

    After each validation the model has its own weights again, bit for bit.

    Args:
        start_epoch: First epoch whose weights count, from 0.
        inputs: Training inputs, an array or a dict of arrays by input name. If the model has
            BatchNormalization, its statistics are computed anew on them for the averaged weights. None
            averages the statistics as if they were weights.
        batch_size: Samples per forward pass for that, default 1024.

    Raises:
        InputError: An argument does not fit.

    Source:
        Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better Generalization".

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", loss="mse")
        >>> data = np.ones((8, 1), "float32")
        >>> average = StochasticWeightAveraging(start_epoch=1)
        >>> history = model.fit(data, data, epochs=3, verbose=0, callbacks=[average])
        >>> average.get_state()["count"]
        2
    """

    def __init__(self, start_epoch: int, inputs: Any = None, batch_size: int = 1024) -> None:
        super().__init__()
        self.start_epoch = check_value("start_epoch", start_epoch, Annotated[int, AtLeast(0)])
        self.inputs = inputs
        self.batch_size = check_value("batch_size", batch_size, Annotated[int, AtLeast(1)])
        self._start()

    def _start(self) -> None:
        self._mean: list[np.ndarray] = []
        self._count = 0
        self._epoch = self._last = -1  # the epoch that runs, and the last one in the mean

    def get_state(self) -> dict[str, Any]:
        """Return the mean so far, of how many epochs, and the last of these."""
        return {"mean": [np.copy(part) for part in self._mean], "count": self._count, "last": self._last}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` returned."""
        self._mean = [np.copy(part) for part in state["mean"]]
        self._count, self._last = state["count"], state["last"]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._training:
            self._add()
        super().on_test_begin(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._add()

    def _add(self) -> None:
        """Take the weights into the mean, once an epoch: before validation, or at the end without one."""
        if self._epoch < self.start_epoch or self._epoch <= self._last:
            return
        weights = _copies(_floats(self.model.weights))
        self._count, self._last = self._count + 1, self._epoch
        if self._count == 1:
            self._mean = weights
        for mean, weight in zip(self._mean, weights, strict=True):
            mean += (weight - mean) / self._count

    def _there_is_one(self) -> bool:
        return self._count > 0

    def _put_in(self) -> None:
        _assign(_floats(self.model.weights), self._mean)
        layers = batch_normalizations(self.model)
        if self.inputs is not None and layers:
            self._recompute_statistics(layers)

    def _recompute_statistics(self, layers: list[Any]) -> None:
        statistics = {id(variable) for layer in layers for variable in layer.non_trainable_variables}
        others = [variable for variable in self.model.variables if id(variable) not in statistics]
        before, momenta = _copies(others), [layer.momentum for layer in layers]
        samples = len(next(iter(self.inputs.values())) if isinstance(self.inputs, dict) else self.inputs)
        try:
            for first in range(0, samples, self.batch_size):
                last = min(samples, first + self.batch_size)
                for layer in layers:
                    layer.momentum = first / last  # every sample weighs the same in the end
                self.model(_rows(self.inputs, first, last), training=True)
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
            _assign(others, before)  # the pass draws random numbers, which training must draw itself


def _rows(inputs: Any, first: int, last: int) -> Any:
    if isinstance(inputs, dict):
        return {name: array[first:last] for name, array in inputs.items()}
    return inputs[first:last]


def _floats(variables: list[Any]) -> list[Any]:
    return [variable for variable in variables if keras.backend.is_float_dtype(variable.dtype)]


def _copies(variables: list[Any]) -> list[np.ndarray]:
    # The array that TensorFlow hands out may be the variable's own memory.
    return [np.copy(variable.numpy()) for variable in variables]


def _assign(variables: list[Any], arrays: list[np.ndarray]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)

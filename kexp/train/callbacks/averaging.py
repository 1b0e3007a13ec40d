"""Callbacks that validate and keep an average of the weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any

import keras
import numpy as np

from kexp.core.constraints import AtLeast, check_value
from kexp.core.errors import InputError
from kexp.core.keras_private import variables_trained_by
from kexp.models.layers.normalization import batch_normalizations

__all__ = ["ExponentialAverage", "StochasticWeightAveraging"]


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
        optimizer.finalize_variable_values(variables_trained_by(optimizer))


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

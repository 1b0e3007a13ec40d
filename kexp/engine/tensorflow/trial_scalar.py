"""Numbers in which the trials of a population differ, as tensors in the place of Python's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from kexp.core.keras_private import all_layers, learning_rate_of
from kexp.core.types import TensorLike
from kexp.metrics.training.crossentropy import Crossentropy
from kexp.models.layers.dropout import StochasticDepth
from kexp.train.objectives import Objective
from kexp.train.schedules import Schedule

# By type alone: a subclass may do something else with its rate.
_DROPPING = (
    *(keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D),
    *(keras.layers.SpatialDropout3D, StochasticDepth),
)
_MOMENTA = {keras.optimizers.SGD: "momentum"} | dict.fromkeys(
    (keras.optimizers.Adam, keras.optimizers.AdamW, keras.optimizers.Lion), "beta_1"
)


@dataclass(frozen=True)
class Scalar:
    """An attribute whose number may differ from trial to trial, without another graph.

    Attributes:
        owner: What has it.
        name: Of the attribute.
    """

    owner: Any
    name: str

    @property
    def value(self) -> float:
        """The number of this trial."""
        return float(getattr(self.owner, self.name))


class TrialScalar:
    """A number above 0 of each trial, where Keras expects Python's.

    That it is above 0, and below 1 where that is asked, is what all trials of a population have in common;
    everything else is computed by its tensor.

    Args:
        exact: () float64.

    Example:
        >>> rate = TrialScalar(tf.constant(0.25, tf.float64))
        >>> 0 < rate < 1, float(1 - rate)
        (True, 0.75)
    """

    def __init__(self, exact: tf.Tensor) -> None:
        self.exact = exact

    def __tf_tensor__(self, dtype: tf.DType | None = None, name: str | None = None) -> tf.Tensor:
        return tf.cast(self.exact, dtype or tf.float32)

    def __bool__(self) -> bool:
        return True

    def __gt__(self, other: float) -> bool:
        return self._is_beyond(other, 0)

    def __ne__(self, other: object) -> bool:
        return self._is_beyond(other, 0)

    def __lt__(self, other: float) -> bool:
        return self._is_beyond(other, 1)

    __hash__ = None  # type: ignore[assignment]

    def __mul__(self, other: TensorLike) -> tf.Tensor:
        return self.__tf_tensor__() * other

    __rmul__ = __mul__

    def __sub__(self, other: TensorLike) -> tf.Tensor:
        return self.__tf_tensor__() - other

    def __rsub__(self, other: TensorLike) -> tf.Tensor:
        return other - self.__tf_tensor__()

    def __truediv__(self, other: TensorLike) -> tf.Tensor:
        return self.__tf_tensor__() / other

    @staticmethod
    def _is_beyond(other: object, limit: int) -> bool:
        if other != limit:
            raise TypeError(f"a number that differs from trial to trial was compared with {other!r}")
        return True


def scalars_of(
    model: keras.Model, objective: Objective, optimizer: keras.optimizers.Optimizer
) -> list[Scalar]:
    """Return the numbers of a training that may differ from those of others, all above 0, in order."""
    rate = learning_rate_of(optimizer)
    found = [Scalar(layer, "rate") for layer in all_layers(model) if type(layer) in _DROPPING]
    found += [Scalar(optimizer, "weight_decay")] if optimizer.weight_decay else []
    found += [Scalar(optimizer, _MOMENTA[type(optimizer)])] if type(optimizer) in _MOMENTA else []
    found += [Scalar(rate, "peak")] if type(rate) is Schedule else []
    loss = getattr(objective, "loss", None)
    found += [Scalar(loss, "label_smoothing")] if type(loss) is Crossentropy else []
    return [scalar for scalar in found if scalar.value > 0]


@contextmanager
def without_scalars(scalars: Sequence[Scalar]) -> Iterator[None]:
    """Have attributes be one and the same number, so that what is described is what trials share."""
    with _use_values(scalars, [0.5] * len(scalars)):
        yield


@contextmanager
def use_scalars(scalars: Sequence[Scalar], tensors: Sequence[tf.Tensor]) -> Iterator[None]:
    """Have attributes be tensors, () float64, while a trial's step is traced."""
    with _use_values(scalars, list(map(TrialScalar, tensors))):
        yield


@contextmanager
def _use_values(scalars: Sequence[Scalar], values: Sequence[Any]) -> Iterator[None]:
    before = [getattr(scalar.owner, scalar.name) for scalar in scalars]
    try:
        for scalar, value in zip(scalars, values, strict=True):
            setattr(scalar.owner, scalar.name, value)
        yield
    finally:
        for scalar, value in zip(scalars, before, strict=True):
            setattr(scalar.owner, scalar.name, value)

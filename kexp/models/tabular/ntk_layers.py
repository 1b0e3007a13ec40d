"""Layers of RealMLP: NTK parametrisation, learned input scales, parametric activations, falling dropout."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kexp.core.errors import InputError
from kexp.core.types import Shape, Tensor

__all__ = ["FallingDropout", "FeatureScale", "NTKDense", "ParametricActivation"]


@keras.saving.register_keras_serializable(package="kexp")
class NTKDense(keras.layers.Layer):
    """A dense layer in the neural tangent parametrisation: `x W / sqrt(features) + b`, of numbers of size 1.

    Args:
        units: Outputs.
        bias_rate: What the learning rate is multiplied by for the bias, by an optimizer that does not see
            the scale of gradients, such as Adam; default 1. The bias is kept as its quotient by it.
        zeros: Whether all starts at 0, as an output layer may, default False; else from the standard normal
            distribution.

    Source:
        Jacot, Gabriel and Hongler 2018, "Neural Tangent Kernel"; Holzmüller, Grinsztajn and Steinwart 2024,
        "Better by Default".

    Example:
        >>> layer = NTKDense(3)
        >>> layer(ops.ones((2, 5))).shape
        TensorShape([2, 3])
    """

    def __init__(self, units: int, *, bias_rate: float = 1.0, zeros: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.bias_rate, self.zeros = units, bias_rate, zeros

    def build(self, input_shape: Shape) -> None:
        features = input_shape[-1]
        self.kernel = self.add_weight(
            shape=(features, self.units), initializer=self._start(1.0), name="kernel"
        )
        self.bias = self.add_weight(
            shape=(self.units,), initializer=self._start(1 / self.bias_rate), name="bias"
        )

    def _start(self, deviation: float) -> Any:
        return "zeros" if self.zeros else keras.initializers.RandomNormal(stddev=deviation)

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, units) of (batch, features)."""
        return ops.matmul(inputs, self.kernel) * inputs.shape[-1] ** -0.5 + self.bias * self.bias_rate

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("units", "bias_rate", "zeros")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="kexp")
class FeatureScale(keras.layers.Layer):
    """Multiplies each feature by a learned number that starts at 1, so that useless ones can fade.

    Args:
        rate: What the learning rate is multiplied by for the scales, as of `NTKDense`; default 6.

    Source:
        Holzmüller, Grinsztajn and Steinwart 2024, "Better by Default".

    Example:
        >>> FeatureScale()(ops.array([[2.0, 3.0]])).numpy().round(6).tolist()
        [[2.0, 3.0]]
    """

    def __init__(self, rate: float = 6.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate

    def build(self, input_shape: Shape) -> None:
        start = keras.initializers.Constant(1 / self.rate)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=start, name="scale")

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, features) of the same shape."""
        return inputs * (self.scale * self.rate)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable(package="kexp")
class ParametricActivation(keras.layers.Layer):
    """An activation `f` with a learned strength for each unit: `(1 - a) x + a f(x)`, where `a` starts at 1.

    Args:
        activation: Name of one of Keras's.
        rate: What the learning rate is multiplied by for the strengths, as of `NTKDense`; default 0.1.

    Source:
        Holzmüller, Grinsztajn and Steinwart 2024, "Better by Default".

    Example:
        >>> ParametricActivation("relu")(ops.array([[2.0, -3.0]])).numpy().tolist()
        [[2.0, 0.0]]
    """

    def __init__(self, activation: str, rate: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation, self.rate = activation, rate

    def build(self, input_shape: Shape) -> None:
        start = keras.initializers.Constant(1 / self.rate)
        self.strength = self.add_weight(shape=(input_shape[-1],), initializer=start, name="strength")

    def call(self, inputs: Tensor) -> Any:
        """Return (batch, units) of the same shape."""
        active = keras.activations.get(self.activation)(inputs)
        return inputs + (active - inputs) * (self.strength * self.rate)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": self.activation, "rate": self.rate}


@keras.saving.register_keras_serializable(package="kexp")
class FallingDropout(keras.layers.Layer):
    """Dropout whose rate is multiplied by a factor that `kexp.callbacks.FlatCosine` lowers in training.

    Args:
        rate: Share of units dropped at a factor of 1, from 0 to below 1.
        seed: Of the draws; None (default) follows `keras.utils.set_random_seed`.

    Raises:
        InputError: The rate is not in its range.

    Example:
        >>> layer = FallingDropout(0.5)
        >>> layer.build((None, 4))
        >>> _ = layer.factor.assign(0.0)
        >>> layer(ops.ones((1, 4)), training=True).numpy().tolist()
        [[1.0, 1.0, 1.0, 1.0]]
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise InputError(f"rate must be a number from 0 to below 1; received {rate!r}.")
        self.rate, self.seed = rate, seed
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Shape) -> None:
        self.factor = self.add_weight(
            shape=(),
            initializer="ones",
            trainable=False,
            dtype="float32",
            aggregation="only_first_replica",
            name="factor",
        )

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        """Return (batch, units) of the same shape, some of them 0 in training."""
        if not training or not self.rate:
            return inputs
        rate = self.rate * self.factor
        # In float32: half precision would round the share of dropped units.
        kept = keras.random.uniform(ops.shape(inputs), dtype="float32", seed=self.generator) >= rate
        return inputs * ops.cast(ops.where(kept, 1 / (1 - rate), 0.0), inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
